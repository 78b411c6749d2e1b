/** The agent's JSON API, typed. Whatever goes wrong becomes an AgentError in words. */
import { t } from '../i18n';
import { isConflict, isFields, isHeat, isOthers, isPerson, isReviewNow, isStudyAnswer } from './guards';
import type { Conflict, Heat, Person, ReviewNow, ReviewRequest, StudyAnswer } from './types';

const TIMEOUT_MS = 15_000;

/**
 * - `unreachable`: no answer came, or one that is not the agent's (a proxy's page, another server).
 * - `login`: somebody has to log in, at `login`.
 * - `conflict`: another review or a newer result is there; `conflict` says whose.
 * - `refused`: the agent says no, and why.
 */
export type Trouble = 'unreachable' | 'login' | 'conflict' | 'refused';

/** Why a request brought nothing; `message` is for the reader. */
export class AgentError extends Error {
  override readonly name = 'AgentError';

  constructor(
    readonly trouble: Trouble,
    message: string,
    readonly status = 0,
    readonly login: string | null = null,
    readonly conflict: Conflict | null = null,
  ) {
    super(message);
  }
}

/** An answer with its ETag; `null` in place of the answer when it is still the one of the ETag given. */
export interface Answered {
  answer: StudyAnswer | null;
  etag: string | null;
}

interface Asked {
  method?: 'GET' | 'POST';
  body?: unknown;
  csrf?: string;
  etag?: string | null;
  signal?: AbortSignal;
  /** Lets the request outlive the page. */
  keepalive?: boolean;
}

export class AgentClient {
  /** `base`: the agent's address without a slash at its end. */
  constructor(readonly base: string) {}

  /** The address of the events of a study. */
  eventsUrl(study: string): string {
    return this.#study(study, 'events');
  }

  /** What the agent says of a study. */
  async result(study: string, etag: string | null, signal: AbortSignal): Promise<Answered> {
    const response = await this.#ask(this.#study(study, 'result'), { etag, signal });
    if (response.status === 304) return { answer: null, etag };
    return { answer: await read(response, isStudyAnswer), etag: response.headers.get('ETag') };
  }

  /** Who is logged in. An AgentError of trouble `login` when nobody is. */
  async session(signal: AbortSignal): Promise<Person> {
    return read(await this.#ask(`${this.base}/api/v1/session`, { signal }), isPerson);
  }

  /** The heat of a finding over one slice; null where the agent has none any more. */
  async heat(
    study: string,
    finding: string,
    sopInstanceUid: string,
    frame: number | null,
    job: string,
    signal: AbortSignal,
  ): Promise<Heat | null> {
    const query = new URLSearchParams({ job, ...(frame === null ? {} : { frame: String(frame) }) });
    const path = `heat/${encodeURIComponent(finding)}/${encodeURIComponent(sopInstanceUid)}?${query.toString()}`;
    try {
      return await read(await this.#ask(this.#study(study, path), { signal }), isHeat);
    } catch (error) {
      if (error instanceof AgentError && error.status === 404) return null;
      throw error;
    }
  }

  async saveReview(study: string, review: ReviewRequest, person: Person, signal: AbortSignal): Promise<ReviewNow> {
    const asked = { method: 'POST', body: review, csrf: person.csrf, signal } as const;
    return read(await this.#ask(this.#study(study, 'review'), asked), isReviewNow);
  }

  /** Tells that this person has the study open, or no longer; resolves to the names of the others who do. */
  async reviewers(study: string, here: boolean, person: Person, signal?: AbortSignal): Promise<string[]> {
    const asked = { method: 'POST', body: { here }, csrf: person.csrf, keepalive: !here } as const;
    const url = this.#study(study, 'reviewers');
    return (await read(await this.#ask(url, { ...asked, ...(signal && { signal }) }), isOthers)).others;
  }

  #study(study: string, path: string): string {
    return `${this.base}/api/v1/studies/${encodeURIComponent(study)}/${path}`;
  }

  /** The response, when it is a 2xx or 304. */
  async #ask(url: string, asked: Asked): Promise<Response> {
    const response = await fetched(url, {
      method: asked.method ?? 'GET',
      headers: headersOf(asked),
      body: asked.body === undefined ? null : JSON.stringify(asked.body),
      credentials: 'include',
      keepalive: asked.keepalive ?? false,
      signal: withTimeout(asked.signal),
    });
    if (response.ok || response.status === 304) return response;
    throw await errorOf(response, this.base);
  }
}

function headersOf({ body, csrf, etag }: Asked): Record<string, string> {
  return {
    Accept: 'application/json',
    ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...(csrf ? { 'X-CSRF-Token': csrf } : {}),
    ...(etag ? { 'If-None-Match': etag } : {}),
  };
}

function withTimeout(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

/** Fetches; a request that was aborted by its caller stays an AbortError. */
async function fetched(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new AgentError('unreachable', t('core.unreachable'));
  }
}

/** The JSON of a response in the form that `is` knows. A page of a proxy or a viewer is no answer of the agent. */
async function read<T>(response: Response, is: (value: unknown) => value is T): Promise<T> {
  const value = await jsonOf(response);
  if (is(value)) return value;
  throw new AgentError('unreachable', t('core.unreadable'), response.status);
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    return null;
  }
}

async function errorOf(response: Response, base: string): Promise<AgentError> {
  const body = await jsonOf(response);
  const { status } = response;
  const said = isFields(body) && typeof body.error === 'string' ? body.error : null;
  if (status === 401) return new AgentError('login', t('core.loginNeeded'), status, loginOf(body, base));
  if (status === 409 && isConflict(body)) return new AgentError('conflict', body.error, status, null, body);
  if (said === null) return new AgentError('unreachable', t('core.refused', { status }), status);
  return new AgentError('refused', said, status);
}

function loginOf(body: unknown, base: string): string {
  const path = isFields(body) && typeof body.login === 'string' ? body.login : '/login';
  return new URL(path, `${base}/`).href;
}
