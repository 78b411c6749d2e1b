/** Everything the panel and the viewport can do to the session. */
import { agentBase } from '../api/base';
import { AgentClient, AgentError } from '../api/client';
import type { Edited, FindingReview, Heat, SliceMark } from '../api/types';
import { t } from '../i18n';
import { isUnsaved, mayReview, missingForVerify } from './derived';
import { keepDraft, removeDraft } from './drafts';
import { savedReview, withFinding, withOlder, withText, withoutFinding, type DraftChange } from './review';
import { slicesRead } from './series';
import { emptySession, isEmptyDraft, store, type Session } from './store';
import { OpenStudy, type ReadSr } from './study';

let client = new AgentClient(agentBase([], import.meta.url, location.href));
let readSr: ReadSr | null = null;
let opened: OpenStudy | null = null;

/** Where the agent is, and how its result is read from the PACS while it does not answer. */
export function connect(base: string, reader: ReadSr | null): void {
  client = new AgentClient(base);
  readSr = reader;
}

/** Opens a study: asks the agent, then listens for changes. Opening another closes the one before. */
export function openStudy(study: string): void {
  closeStudy();
  store.set({ study });
  opened = new OpenStudy(study, store, client, readSr);
  opened.start();
}

/** Ends every request, stream and timer of the open study. Who is logged in and how heat is shown stay. */
export function closeStudy(): void {
  opened?.close();
  opened = null;
  const { person, login, wash } = store.get();
  store.set({ ...emptySession(), person, login, wash });
}

export function select(key: string | null): void {
  store.set({ selected: key });
}

export function accept(key: string): void {
  handle({ finding: key, action: 'accepted' });
}

export function reject(key: string, reason: string): void {
  handle({ finding: key, action: 'rejected', reason });
}

export function edit(key: string, edited: Edited): void {
  const now = store.get().draft.findings[key];
  const added = now?.action === 'added' ? now.slice : undefined;
  handle(added ? { finding: key, action: 'added', edited, slice: added } : { finding: key, action: 'edited', edited });
}

/** Takes back what was not saved of a finding. */
export function undo(key: string): void {
  change((session) => withoutFinding(session, key));
}

/** Adds a finding the model missed, on the slice in the active viewport; `point` is row and column in its pixels. */
export function addFinding(key: string, edited: Edited, point?: [number, number]): void {
  const slice = markOf(store.get(), point);
  if (slice) handle({ finding: key, action: 'added', edited, slice });
  else store.set({ message: t('core.noSlice') });
}

/** The edited report; null goes back to what the model wrote. */
export function setText(text: string | null): void {
  change((session) => (session.answer?.result ? withText(session, session.answer.result, text) : null));
}

/** Takes the draft of an older result over to this one, or throws it away. */
export function takeOffered(take: boolean): void {
  const { offered, study, person, answer } = store.get();
  if (!offered || !person) return;
  const result = answer?.result;
  if (take && result) change((session) => withOlder(session, result, offered.draft));
  removeDraft({ study, job: offered.job, login: person.login });
  store.set({ offered: null });
}

/** Saves what was handled; `verify` makes it the verified report. Resolves to whether it was saved. */
export async function save(verify: boolean): Promise<boolean> {
  const obstacle = obstacleTo(verify);
  if (obstacle !== null || !opened) {
    store.set({ saving: 'failed', message: obstacle ?? t('core.saveNeedsAgent') });
    return false;
  }
  const study = opened;
  store.set({ saving: 'saving', message: '' });
  try {
    await study.save(verify);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    if (study === opened) tellOf(error);
    return false;
  }
  keep();
  return true;
}

/** Asks the agent again, at once. After a conflict, what is handled then stands upon what the other one saved. */
export async function reload(): Promise<void> {
  await opened?.refresh();
  const session = store.get();
  const draftBase = isUnsaved(session) ? (savedReview(session)?.version ?? 0) : 0;
  store.set({ draftBase, ...(session.saving === 'conflict' && { saving: 'no', message: '' }) });
  keep();
}

/** The heat of a finding over one slice, kept for the next time; null where there is none. */
export function heat(finding: string, sopInstanceUid: string, frame: number | null): Promise<Heat | null> {
  return opened?.heat(finding, sopInstanceUid, frame) ?? Promise.resolve(null);
}

function handle(review: FindingReview): void {
  change((session) => withFinding(session, review));
}

/** Changes the draft where this person may, and keeps it for a reload. */
function change(made: (session: Session) => DraftChange | null): void {
  const session = store.get();
  if (!mayReview(session)) {
    store.set({ message: whyNotReview(session) });
    return;
  }
  const changed = made(session);
  if (!changed) return;
  const stillInConflict = session.saving === 'conflict' && !isEmptyDraft(changed.draft);
  store.set({ ...changed, ...(!stillInConflict && { saving: 'no', message: '' }) });
  keep();
}

function keep(): void {
  const owner = opened?.draftOwner();
  const { draft, draftBase } = store.get();
  if (owner) keepDraft(owner, { draft, base: draftBase });
}

/** Why nothing can be saved now, in words; null where it can. */
function obstacleTo(verify: boolean): string | null {
  const session = store.get();
  if (!mayReview(session)) return whyNotReview(session);
  const missing = missingForVerify(session);
  if (verify && missing.length > 0) return t('core.missing', { names: missing.map((each) => each.name).join(', ') });
  return verify || isUnsaved(session) ? null : t('core.nothingToSave');
}

function whyNotReview(session: Session): string {
  if (session.source !== 'agent') return t('core.saveNeedsAgent');
  return session.person ? t('core.needsReviewer') : t('core.loginNeeded');
}

function tellOf(error: AgentError): void {
  if (error.trouble === 'conflict') {
    const by = error.conflict?.by ?? '';
    const message = by === '' ? t('core.saveNewerResult') : t('core.saveConflict', { by });
    store.set({ saving: 'conflict', message });
    return;
  }
  if (error.trouble === 'login') store.set({ person: null, login: error.login });
  store.set({ saving: 'failed', message: t('core.saveFailed', { reason: error.message }) });
}

/** The slice in the active viewport. Frames are named only where the series has them (PS3.3 10.3). */
function markOf({ current, answer }: Session, point: [number, number] | undefined): SliceMark | null {
  if (!current) return null;
  const { sopInstanceUid, frame } = current;
  const read = answer?.result ? slicesRead(answer.result) : [];
  const known = read.find((slice) => slice.sop_instance_uid === sopInstanceUid);
  const frameNumber = known?.frame_number === null ? null : frame;
  return { sop_instance_uid: sopInstanceUid, frame_number: frameNumber, ...(point && { point_px: point }) };
}
