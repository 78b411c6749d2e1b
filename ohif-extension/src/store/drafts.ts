/** Unsaved reviews in sessionStorage: they outlive a reload, not the tab, and belong to study, result and login. */
import { isFields } from '../api/guards';
import type { FindingReview } from '../api/types';
import { isEmptyDraft, type OfferedDraft, type ReviewDraft } from './store';

const PREFIX = 'pacs-agent:draft:';
const ACTIONS: readonly unknown[] = ['accepted', 'rejected', 'edited', 'added'];

/** The tab's storage; null where the browser forbids it, for example in a frame of another site. */
function tabStorage(): Storage | null {
  try {
    return sessionStorage;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** Whose draft it is, of which result. */
export interface DraftOwner {
  study: string;
  job: string;
  login: string;
}

/** A draft with the version of the saved review it was begun upon; 0 where there was none. */
export interface KeptDraft {
  draft: ReviewDraft;
  base: number;
}

export function loadDraft(owner: DraftOwner, storage: Storage | null = tabStorage()): KeptDraft | null {
  return parsedDraft(storage?.getItem(keyOf(owner)) ?? null);
}

/** Keeps a draft; an empty one is removed. A storage that is full or forbidden keeps nothing. */
export function keepDraft(owner: DraftOwner, kept: KeptDraft, storage: Storage | null = tabStorage()): void {
  if (isEmptyDraft(kept.draft)) {
    removeDraft(owner, storage);
    return;
  }
  try {
    storage?.setItem(keyOf(owner), JSON.stringify(kept));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

export function removeDraft(owner: DraftOwner, storage: Storage | null = tabStorage()): void {
  storage?.removeItem(keyOf(owner));
}

/** The draft this person made upon another result of the study; null where there is none. */
export function olderDraft(owner: DraftOwner, storage: Storage | null = tabStorage()): OfferedDraft | null {
  for (let index = 0; storage && index < storage.length; index++) {
    const other = ownerOf(storage.key(index));
    if (other?.study !== owner.study || other.login !== owner.login || other.job === owner.job) continue;
    const kept = loadDraft(other, storage);
    if (kept && !isEmptyDraft(kept.draft)) return { job: other.job, draft: kept.draft };
  }
  return null;
}

function keyOf({ study, job, login }: DraftOwner): string {
  return PREFIX + JSON.stringify([study, job, login]);
}

function ownerOf(key: string | null): DraftOwner | null {
  if (!key?.startsWith(PREFIX)) return null;
  const parts = json(key.slice(PREFIX.length));
  if (!Array.isArray(parts)) return null;
  const [study, job, login] = parts as unknown[];
  const named = typeof study === 'string' && typeof job === 'string' && typeof login === 'string';
  return named ? { study, job, login } : null;
}

function parsedDraft(text: string | null): KeptDraft | null {
  const kept = text === null ? null : json(text);
  if (!isFields(kept) || typeof kept.base !== 'number' || !isDraft(kept.draft)) return null;
  return { draft: kept.draft, base: kept.base };
}

function isDraft(value: unknown): value is ReviewDraft {
  if (!isFields(value) || !isFields(value.findings)) return false;
  const textual = value.text === null || typeof value.text === 'string';
  return textual && Object.entries(value.findings).every(([key, each]) => isFindingReview(each, key));
}

function isFindingReview(value: unknown, key: string): value is FindingReview {
  return isFields(value) && value.finding === key && ACTIONS.includes(value.action);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
