/** One opened study: its requests, its stream of news and its timers. `close` ends them all. */
import { AgentError, type AgentClient } from '../api/client';
import { StudyNews } from '../api/events';
import type { Heat, Person, ReviewNow, StudyAnswer } from '../api/types';
import { t } from '../i18n';
import { mayReview } from './derived';
import { loadDraft, olderDraft, type DraftOwner } from './drafts';
import { HeatCache } from './heat';
import { isOvertaken, requestOf, savedReview } from './review';
import { EMPTY_DRAFT, type Store } from './store';

export const HEARTBEAT_MS = 20_000;
/** Least time between two questions for a result, when news come faster than this. */
export const CALM_MS = 300;
/** Least time between two readings of the PACS, while no agent answers. */
export const PACS_MS = 30_000;

/** Reads the newest AI result of a study from the PACS; null where it has none. */
export type ReadSr = (study: string, signal: AbortSignal) => Promise<StudyAnswer | null>;

export class OpenStudy {
  readonly #abort = new AbortController();
  readonly #heat: HeatCache;
  #news: StudyNews | null = null;
  #heartbeat: ReturnType<typeof setInterval> | null = null;
  #asking: Promise<void> | null = null;
  #stale = false;
  #askPerson: boolean;
  #toldHere: Person | null = null;
  #live = false;
  #wasLost = false;
  #etag: string | null = null;
  #owner: DraftOwner | null = null;
  #trouble = '';
  #readPacsAt = -Infinity;

  constructor(
    readonly study: string,
    private readonly store: Store,
    private readonly client: AgentClient,
    private readonly readSr: ReadSr | null,
  ) {
    this.#askPerson = store.get().person === null;
    this.#heat = new HeatCache((finding, sop, frame, job) =>
      client.heat(study, finding, sop, frame, job, this.#abort.signal),
    );
  }

  start(): void {
    this.#news = new StudyNews(this.client.eventsUrl(this.study), {
      onChanged: () => void this.refresh(),
      onOthers: (others) => this.store.set({ others }),
      onLive: (live) => this.#onLive(live),
    });
    window.addEventListener('focus', this.#onFocus);
    this.#heartbeat = setInterval(() => void this.#beat(), HEARTBEAT_MS);
    void this.refresh();
  }

  close(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#news?.close();
    if (this.#heartbeat) clearInterval(this.#heartbeat);
    window.removeEventListener('focus', this.#onFocus);
    this.#heat.clear();
    if (this.#toldHere) void this.client.reviewers(this.study, false, this.#toldHere).catch(expected);
  }

  /** Asks the agent; resolves when what it said after this call is in the store. */
  refresh(): Promise<void> {
    this.#stale = true;
    this.#asking ??= this.#askWhileStale().finally(() => (this.#asking = null));
    return this.#asking;
  }

  heat(finding: string, sopInstanceUid: string, frame: number | null): Promise<Heat | null> {
    const { answer, source } = this.store.get();
    if (source !== 'agent' || !answer?.result) return Promise.resolve(null);
    return this.#heat.get(finding, sopInstanceUid, frame, answer.result.job_id);
  }

  /** Saves what is handled. Throws AgentError; the draft then stays as it is. */
  async save(verify: boolean): Promise<void> {
    const session = this.store.get();
    const result = session.answer?.result;
    if (!result || !session.person) throw new AgentError('refused', t('core.saveNeedsAgent'));
    const request = requestOf(session, result, verify);
    const review = await this.#withFreshToken(session.person, (person) =>
      this.client.saveReview(this.study, request, person, this.#abort.signal),
    );
    this.#afterSave(review, session.draft);
  }

  #afterSave(review: ReviewNow, sent: unknown): void {
    const { answer, draft } = this.store.get();
    if (!answer) return;
    const rest = draft === sent ? EMPTY_DRAFT : draft;
    const draftBase = rest === EMPTY_DRAFT ? 0 : review.version;
    this.store.set({ answer: { ...answer, review }, draft: rest, draftBase, saving: 'saved', message: '' });
  }

  /** The token of another login in this browser is a newer one: asked for once, when ours is refused. */
  async #withFreshToken<T>(person: Person, ask: (person: Person) => Promise<T>): Promise<T> {
    try {
      return await ask(person);
    } catch (error) {
      if (!(error instanceof AgentError) || error.status !== 403) throw error;
      const now = await this.client.session(this.#abort.signal);
      if (now.csrf === person.csrf || now.login !== person.login) throw error;
      this.store.set({ person: now });
      return ask(now);
    }
  }

  async #askWhileStale(): Promise<void> {
    while (this.#stale && !this.#abort.signal.aborted) {
      this.#stale = false;
      await this.#ask();
      if (this.#isStale()) await new Promise((calm) => setTimeout(calm, CALM_MS));
    }
  }

  #isStale(): boolean {
    return this.#stale;
  }

  async #ask(): Promise<void> {
    try {
      const [answered] = await Promise.all([
        this.client.result(this.study, this.#etag, this.#abort.signal),
        this.#learnPerson(),
      ]);
      this.#etag = answered.etag;
      this.#onAnswer(answered.answer);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (!(error instanceof AgentError)) throw error;
      await this.#onTrouble(error);
    }
  }

  /** Who is logged in, asked when it may have changed. That nobody is, or that it cannot be told, is no trouble. */
  async #learnPerson(): Promise<void> {
    if (!this.#askPerson) return;
    try {
      const person = await this.client.session(this.#abort.signal);
      this.#askPerson = false;
      this.store.set({ person, login: null });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (error.trouble !== 'login') return;
      this.#askPerson = false;
      this.store.set({ person: null, login: error.login });
    }
  }

  #onAnswer(answer: StudyAnswer | null): void {
    if (this.#abort.signal.aborted) return;
    this.store.set({
      ...(answer && { answer }),
      source: 'agent',
      connection: this.#live ? 'live' : 'polling',
      ...(this.store.get().message === this.#trouble && { message: '' }),
    });
    this.#trouble = '';
    this.#adoptDraft();
    this.#noticeOvertaken();
    if (!this.#toldHere) void this.#beat();
  }

  async #onTrouble(error: AgentError): Promise<void> {
    this.#etag = null;
    if (error.trouble === 'login') {
      this.#askPerson = true;
      this.store.set({ person: null, login: error.login });
    }
    const lost = error.trouble === 'unreachable';
    this.store.set({ connection: lost ? 'offline' : this.#live ? 'live' : 'polling' });
    if (this.store.get().source === 'agent') this.#tell(error.message);
    else if (error.trouble === 'refused') this.#tell(error.message);
    else await this.#readPacs(error);
  }

  /** What the PACS has, while no agent has answered for this study. */
  async #readPacs(error: AgentError): Promise<void> {
    if (!this.readSr || performance.now() - this.#readPacsAt < PACS_MS) return;
    this.#readPacsAt = performance.now();
    const answer = await this.readSr(this.study, this.#abort.signal);
    if (this.#abort.signal.aborted || this.store.get().source === 'agent') return;
    if (answer) {
      this.store.set({ answer, source: 'sr' });
      this.#tell(error.trouble === 'login' ? error.message : t('core.agentSilent'));
    } else if (error.trouble !== 'login') {
      this.store.set({ answer: nothingOf(this.study, t('core.noAgentNoResult')), source: 'sr' });
    }
  }

  #tell(message: string): void {
    this.#trouble = message;
    this.store.set({ message });
  }

  /** The draft of this person upon the result on display: kept from before, or empty. An older one is offered. */
  #adoptDraft(): void {
    const owner = this.draftOwner();
    if (!owner || JSON.stringify(owner) === JSON.stringify(this.#owner)) return;
    this.#owner = owner;
    const kept = loadDraft(owner);
    this.store.set({
      draft: kept?.draft ?? EMPTY_DRAFT,
      draftBase: kept?.base ?? 0,
      offered: olderDraft(owner),
      saving: 'no',
    });
  }

  /** Whose draft is on display; null while nobody may review. */
  draftOwner(): DraftOwner | null {
    const session = this.store.get();
    const job = session.answer?.result?.job_id;
    return mayReview(session) && session.person && job
      ? { study: this.study, job, login: session.person.login }
      : null;
  }

  #noticeOvertaken(): void {
    const session = this.store.get();
    if (session.saving === 'saving' || !isOvertaken(session)) return;
    const by = savedReview(session)?.by ?? '';
    this.store.set({ saving: 'conflict', message: t('core.saveConflict', { by }) });
  }

  #onLive(live: boolean): void {
    const missed = live && this.#wasLost;
    this.#live = live;
    this.#wasLost = !live;
    const { connection } = this.store.get();
    if (connection !== 'offline') this.store.set({ connection: live ? 'live' : 'polling' });
    if (missed) void this.refresh();
  }

  readonly #onFocus = (): void => {
    if (this.store.get().login === null) return;
    this.#askPerson = true;
    void this.refresh();
  };

  /** Tells the others that a reviewer has this study open. */
  async #beat(): Promise<void> {
    const { person } = this.store.get();
    if (!person || !mayReview(this.store.get()) || document.visibilityState === 'hidden') return;
    this.#toldHere = person;
    try {
      const others = await this.client.reviewers(this.study, true, person, this.#abort.signal);
      this.store.set({ others });
    } catch (error) {
      if (!(error instanceof AgentError) && !this.#abort.signal.aborted) throw error;
    }
  }
}

/** The agent forgets a reviewer by itself: that it was not told changes nothing. */
function expected(error: unknown): void {
  if (!(error instanceof AgentError)) throw error;
}

function nothingOf(study: string, reason: string): StudyAnswer {
  return { study_instance_uid: study, state: 'none', reason, job: null, result: null, history: [], review: null };
}
