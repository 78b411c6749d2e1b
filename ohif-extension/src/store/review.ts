/** What the reader does with findings and text, as changes of the draft. Nothing here asks the agent. */
import type { FindingReview, Result, ReviewNow, ReviewRequest } from '../api/types';
import { draftText, savedReviewOf } from './derived';
import { EMPTY_DRAFT, isEmptyDraft, type ReviewDraft, type Session } from './store';

export type DraftChange = Pick<Session, 'draft' | 'draftBase'>;

/** The saved review of the result on display. */
export function savedReview(session: Session): ReviewNow | null {
  const { result, review } = session.answer ?? {};
  return review && review.job_id === result?.job_id ? review : null;
}

/** The draft with a finding handled. What equals the saved review is no change and leaves the draft. */
export function withFinding(session: Session, review: FindingReview): DraftChange {
  if (same(savedReviewOf(session, review.finding), review)) return withoutFinding(session, review.finding);
  return changed(session, { ...session.draft, findings: { ...session.draft.findings, [review.finding]: review } });
}

/** The draft without what was done to a finding. */
export function withoutFinding(session: Session, key: string): DraftChange {
  const findings = Object.fromEntries(Object.entries(session.draft.findings).filter(([each]) => each !== key));
  return changed(session, { ...session.draft, findings });
}

/** The draft with an edited report; null takes the report back to what the model wrote. */
export function withText(session: Session, result: Result, text: string | null): DraftChange {
  const wanted = text ?? draftText(result);
  const saved = savedReview(session)?.text ?? draftText(result);
  return changed(session, { ...session.draft, text: wanted === saved ? null : wanted });
}

/** A draft of an older result upon this one: only findings the model still knows, over what is handled already. */
export function withOlder(session: Session, result: Result, older: ReviewDraft): DraftChange {
  const known = new Set(result.findings.map((finding) => finding.key));
  const taken = Object.entries(older.findings).filter(([key]) => known.has(key));
  const findings = { ...Object.fromEntries(taken), ...session.draft.findings };
  return changed(session, { findings, text: session.draft.text ?? older.text });
}

/** Everything that is handled, saved or not, as the agent wants it. */
export function requestOf(session: Session, result: Result, verify: boolean): ReviewRequest {
  const saved = savedReview(session);
  const handled = new Map(saved?.findings.map((each) => [each.finding, each]));
  for (const [key, each] of Object.entries(session.draft.findings)) handled.set(key, each);
  const text = session.draft.text ?? saved?.text ?? null;
  return {
    job_id: result.job_id,
    base_version: isEmptyDraft(session.draft) ? (saved?.version ?? 0) : session.draftBase,
    verify,
    findings: [...handled.values()],
    text: text === draftText(result) ? null : text,
  };
}

/** Somebody saved after the draft was begun. */
export function isOvertaken(session: Session): boolean {
  return !isEmptyDraft(session.draft) && (savedReview(session)?.version ?? 0) > session.draftBase;
}

function changed(session: Session, draft: ReviewDraft): DraftChange {
  if (isEmptyDraft(draft)) return { draft: EMPTY_DRAFT, draftBase: 0 };
  const begun = isEmptyDraft(session.draft);
  return { draft, draftBase: begun ? (savedReview(session)?.version ?? 0) : session.draftBase };
}

/** The agent leaves out what is not said, so that absent, null and empty are the same. */
function same(a: FindingReview | null, b: FindingReview): boolean {
  return a !== null && canonical(a) === canonical(b);
}

function canonical({ finding, action, reason, edited, slice }: FindingReview): string {
  const said = edited && [edited.presence, edited.sides, edited.lobes, edited.grade, edited.count, edited.comment];
  const seen = slice && [slice.sop_instance_uid, slice.frame_number, slice.point_px ?? null];
  return JSON.stringify([finding, action, reason ?? '', said ?? null, seen ?? null]);
}
