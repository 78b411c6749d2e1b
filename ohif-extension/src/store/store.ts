/** The one state of the page: the study on display, what the agent says of it, and what the reader has done with it. */
import type { Edited, FindingReview, Person, SliceMark, StudyAnswer } from '../api/types';

/** What the reader has handled but not saved. */
export interface ReviewDraft {
  /** By key of the finding. */
  findings: Readonly<Record<string, FindingReview>>;
  /** The edited report; null: the draft of the model stands. */
  text: string | null;
}

export function isEmptyDraft(draft: ReviewDraft): boolean {
  return draft.text === null && Object.keys(draft.findings).length === 0;
}

/** A draft made upon another result of this study; offered, never applied by itself. */
export interface OfferedDraft {
  job: string;
  draft: ReviewDraft;
}

export interface CurrentSlice {
  sopInstanceUid: string;
  frame: number | null;
}

export type Connection = 'live' | 'polling' | 'offline';
export type Saving = 'no' | 'saving' | 'saved' | 'conflict' | 'failed';

export interface Session {
  /** StudyInstanceUID; empty while no study is open. */
  study: string;
  answer: StudyAnswer | null;
  /** `sr`: no agent answers; the answer was read from the AI result SR in the PACS. */
  source: 'agent' | 'sr' | null;
  connection: Connection;
  /** The address of the login page while nobody is logged in and the agent wants somebody; else null. */
  login: string | null;
  person: Person | null;
  /** Key of the selected finding. */
  selected: string | null;
  /** In-slice heat; opacity from 0 to 1. */
  wash: { on: boolean; opacity: number };
  /** The slice in the active viewport. */
  current: CurrentSlice | null;
  draft: ReviewDraft;
  /** Version of the saved review the draft was begun upon; 0: none was saved, or nothing was begun. */
  draftBase: number;
  offered: OfferedDraft | null;
  saving: Saving;
  /** One sentence for the reader: why a save failed, or why no answer is to be had. */
  message: string;
  /** Names of others who have this study open for review. */
  others: string[];
  /** The sheet of keys is open. */
  sheet: boolean;
}

export type { Edited, FindingReview, SliceMark };

export const EMPTY_DRAFT: ReviewDraft = { findings: {}, text: null };

/** The session before any study was opened. */
export function emptySession(study = ''): Session {
  return {
    study,
    answer: null,
    source: null,
    connection: 'offline',
    login: null,
    person: null,
    selected: null,
    wash: { on: false, opacity: 0.5 },
    current: null,
    draft: EMPTY_DRAFT,
    draftBase: 0,
    offered: null,
    saving: 'no',
    message: '',
    others: [],
    sheet: false,
  };
}

/** A session that can be watched. `get` gives the same object until something changes (useSyncExternalStore). */
export class Store {
  #session: Session;
  readonly #listeners = new Set<() => void>();

  constructor(session: Session = emptySession()) {
    this.#session = session;
  }

  get(): Session {
    return this.#session;
  }

  /** Merges `change` in; listeners are called unless every value is the one that is there. */
  set(change: Partial<Session>): void {
    const next = { ...this.#session, ...change };
    const keys = Object.keys(change) as (keyof Session)[];
    if (keys.every((key) => Object.is(this.#session[key], next[key]))) return;
    this.#session = next;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** How many watch; zero after the mode is left. */
  get watchers(): number {
    return this.#listeners.size;
  }
}

export const store = new Store();
