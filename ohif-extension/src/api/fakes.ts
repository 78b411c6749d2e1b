/** An agent and its stream of news, for tests. */
import answerJson from './fixtures/answer.json';
import { isStudyAnswer } from './guards';
import type { Person, ReviewNow, StudyAnswer } from './types';

/** A study's answer as the agent really gave it. */
export function answerFixture(): StudyAnswer {
  const answer: unknown = structuredClone(answerJson);
  if (!isStudyAnswer(answer)) throw new Error('the fixture is no answer of the agent');
  return answer;
}

export const REVIEWER: Person = { login: 'ada', name: 'Dr. Ada Lovelace', roles: ['reviewer'], csrf: 'token-1' };

export function reviewFixture(answer: StudyAnswer, change: Partial<ReviewNow> = {}): ReviewNow {
  return {
    version: 1,
    by: 'Dr. B',
    at: '2026-11-22T12:00:00Z',
    job_id: answer.result?.job_id ?? '',
    verified: false,
    findings: [],
    text: null,
    objects: [],
    state: 'sent',
    error: '',
    ...change,
  };
}

interface Request {
  method: string;
  path: string;
  headers: Headers;
  body: unknown;
}

type Reply = Response | Promise<Response>;

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });
}

/** Answers requests by the last part of their path; keeps what was asked. */
export class FakeAgent {
  readonly requests: Request[] = [];
  readonly #replies = new Map<string, (request: Request) => Reply>();

  constructor(answer: StudyAnswer = answerFixture(), person: Person | null = REVIEWER) {
    this.on('result', () => json(answer, 200, { ETag: '"1"' }));
    this.on('session', () => (person ? json(person) : json({ error: 'nobody is logged in', login: '/login' }, 401)));
    this.on('reviewers', () => json({ others: [] }));
  }

  on(name: string, reply: (request: Request) => Reply): void {
    this.#replies.set(name, reply);
  }

  asked(name: string): Request[] {
    return this.requests.filter((request) => new RegExp(`/${name}(/|\\?|$)`).test(request.path));
  }

  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : null;
    const request = { method: init.method ?? 'GET', path: url, headers: new Headers(init.headers), body };
    this.requests.push(request);
    const name = [...this.#replies.keys()].find((each) => new RegExp(`/${each}(/|\\?|$)`).test(url));
    const reply = await (name === undefined ? json({ error: 'no such page' }, 404) : this.#replies.get(name)?.(request));
    init.signal?.throwIfAborted();
    return reply ?? json({ error: 'no such page' }, 404);
  };
}

/** EventSource without a network. */
export class FakeEventSource extends EventTarget {
  static readonly all: FakeEventSource[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;

  constructor(readonly url: string) {
    super();
    FakeEventSource.all.push(this);
  }

  static get open(): FakeEventSource[] {
    return FakeEventSource.all.filter((source) => !source.closed);
  }

  close(): void {
    this.closed = true;
  }

  opens(): void {
    this.onopen?.();
  }

  fails(): void {
    this.onerror?.();
  }

  says(type: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) }));
  }
}
