/** What follows from a session: orders, shares and what is still to do. No state of its own. */
import type { Evidence, Finding, FindingReview, Presence, Result } from '../api/types';
import { isStaging, placeOfItem } from './staging';
import { isEmptyDraft, type Session } from './store';

const RANK: Record<Presence, number> = { present: 0, uncertain: 0, absent: 1 };

/**
 * Findings as the panel lists them: present and uncertain by concern, then probability; absent ones last. Items of
 * staging keep their own order.
 */
export function sortedFindings(result: Result): Finding[] {
  if (isStaging(result)) return [...result.findings].sort((a, b) => placeOfItem(a.key) - placeOfItem(b.key));
  return [...result.findings].sort(
    (a, b) =>
      RANK[a.presence] - RANK[b.presence] ||
      b.concern - a.concern ||
      b.probability - a.probability ||
      a.name.localeCompare(b.name),
  );
}

/** The findings that stand to be handled: all that are not absent. */
export function standing(result: Result): Finding[] {
  return sortedFindings(result).filter((finding) => finding.presence !== 'absent');
}

export function findingOf(session: Session, key: string | null): Finding | null {
  return session.answer?.result?.findings.find((finding) => finding.key === key) ?? null;
}

/** The slices on which a finding rests, along the slice axis. */
export function evidenceOf(finding: Finding): Evidence[] {
  return [...finding.evidence].sort((a, b) => a.index - b.index);
}

/** The strongest slices of a finding, the strongest first. */
export function topEvidence(finding: Finding, count: number): Evidence[] {
  return [...finding.evidence].sort((a, b) => b.weight - a.weight).slice(0, count);
}

/** What is said of each finding now: the saved review, with the draft over it. */
export function reviewOf(session: Session, key: string): FindingReview | null {
  return session.draft.findings[key] ?? savedReviewOf(session, key);
}

export function savedReviewOf(session: Session, key: string): FindingReview | null {
  const saved = session.answer?.review;
  if (!saved || saved.job_id !== session.answer?.result?.job_id) return null;
  return saved.findings.find((each) => each.finding === key) ?? null;
}

export function isHandled(session: Session, key: string): boolean {
  return reviewOf(session, key) !== null;
}

/** The findings, present or uncertain, that must be handled before the report can be verified. */
export function missingForVerify(session: Session): Finding[] {
  const result = session.answer?.result;
  return result ? standing(result).filter((finding) => !isHandled(session, finding.key)) : [];
}

/** Something was handled or written that is not saved. */
export function isUnsaved(session: Session): boolean {
  return !isEmptyDraft(session.draft);
}

export function mayReview(session: Session): boolean {
  return session.source === 'agent' && (session.person?.roles.some((role) => role === 'reviewer' || role === 'admin') ?? false);
}

/** A share from 0 to 1 in whole percent: 0 and 100 are said only of what is exactly so. */
export function percent(share: number): string {
  if (share > 0 && share < 0.005) return '<1 %';
  if (share < 1 && share > 0.995) return '>99 %';
  return `${Math.round(Math.min(1, Math.max(0, share)) * 100)} %`;
}

/** The report as the model wrote it: findings, then impression, as plain text. */
export function draftText(result: Result): string {
  const lines = (sentences: Result['sentences']) => sentences.map((sentence) => sentence.text).join('\n');
  return [lines(result.sentences), lines(result.impression)].filter((part) => part !== '').join('\n\n');
}

/** The report as it stands: what the reader wrote, what was saved, or what the model wrote. */
export function reportText(session: Session): string {
  const result = session.answer?.result;
  const saved = session.answer?.review;
  const savedText = saved && saved.job_id === result?.job_id ? saved.text : null;
  return session.draft.text ?? savedText ?? (result ? draftText(result) : '');
}
