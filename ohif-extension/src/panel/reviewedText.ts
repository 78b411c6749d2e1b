/**
 * The report as it stands once the reader's answers are taken over: what was rejected is gone, what was edited or added
 * is said as the reader said it. These are words of the report, not of the interface: they keep the model's language.
 * The agent writes the same into the verified report (`pacs_agent/results/final_text.py`).
 */
import type { Action, Edited, Finding, FindingReview, Result, Sentence } from '../api/types';

/** A sentence, with what became of it. */
export interface Line {
  text: string;
  findings: readonly string[];
  positive: boolean;
  /** The answer to its finding; null while there is none, or where several findings have different ones. */
  action: Action | null;
  /** No longer part of the report; shown struck out. */
  gone: boolean;
}

export interface ReviewedReport {
  findings: Line[];
  impression: Line[];
}

/** What the reader said of a finding; null: nothing yet. */
export type Answers = (finding: string) => FindingReview | null;

const POSSIBLE = 'Possible: ';
const NOTHING_LEFT = 'No finding was confirmed.';
const NOTHING: Line = { text: NOTHING_LEFT, findings: [], positive: false, action: null, gone: false };
const COUNTS = { one: 'one', few: 'a few', many: 'many' } as const;

export function reviewedReport(result: Result, answers: Answers): ReviewedReport {
  const own = ownStatements(result, answers);
  const findings = result.sentences.map((sentence) => reviewedLine(sentence, result, answers, own, saidOf));
  const impression = result.impression.map((sentence) => reviewedLine(sentence, result, answers, own, summaryOf));
  const summed = [...impression, ...newInImpression(result, own)];
  const left = summed.some(({ gone }) => !gone);
  return { findings, impression: left ? summed : [...summed, NOTHING] };
}

/** The report as plain text: findings, an empty line, impression. */
export function plainText(report: ReviewedReport): string {
  const part = (lines: Line[]): string =>
    lines
      .filter(({ gone }) => !gone)
      .map(({ text }) => text)
      .join('\n');
  return [part(report.findings), part(report.impression)].filter((text) => text !== '').join('\n\n');
}

/** Statements of the reader, by key of the finding. */
type Own = ReadonlyMap<string, { finding: Finding; edited: Edited; action: Action }>;

function ownStatements(result: Result, answers: Answers): Own {
  const own = new Map<string, { finding: Finding; edited: Edited; action: Action }>();
  for (const finding of result.findings) {
    const answer = answers(finding.key);
    if (answer?.edited) own.set(finding.key, { finding, edited: answer.edited, action: answer.action });
  }
  return own;
}

type Say = (finding: Finding, edited: Edited) => string;

function reviewedLine(sentence: Sentence, result: Result, answers: Answers, own: Own, say: Say): Line {
  const { text, findings, positive } = sentence;
  if (findings.length > 1) return lineOfSeveral(sentence, result, answers, own);
  const key = findings[0] ?? '';
  const said = own.get(key);
  const action = answers(key)?.action ?? null;
  if (said === undefined) return { text, findings, positive, action, gone: action === 'rejected' };
  const words = say(said.finding, said.edited);
  return {
    text: words === '' ? text : words,
    findings,
    positive: said.edited.presence !== 'absent',
    action,
    gone: words === '',
  };
}

/** "Possible: a, b." loses the names that were answered otherwise; that nothing is there holds until something is. */
function lineOfSeveral(
  { text, findings, positive, fixed }: Sentence,
  result: Result,
  answers: Answers,
  own: Own,
): Line {
  const line = { text, findings, positive, action: null, gone: false };
  if (!positive) return { ...line, gone: [...own.values()].some(({ edited }) => edited.presence === 'present') };
  const left = findings.filter((key) => answers(key)?.action !== 'rejected' && !own.has(key));
  if (left.length === findings.length) {
    const accepted = findings.every((key) => answers(key)?.action === 'accepted');
    return { ...line, action: accepted ? 'accepted' : null };
  }
  if (left.length === 0) return { ...line, gone: true };
  if (!fixed || !text.startsWith(POSSIBLE)) return line;
  const names = left.map((key) => lowerFirst(result.findings.find((finding) => finding.key === key)?.name ?? key));
  return { ...line, text: `${POSSIBLE}${names.join(', ')}.`, findings: left };
}

/** What the reader says is there and the impression does not speak of yet. */
function newInImpression(result: Result, own: Own): Line[] {
  const alone = new Set(
    result.impression.filter(({ findings }) => findings.length === 1).flatMap(({ findings }) => findings),
  );
  return [...own.values()]
    .filter(({ finding, edited }) => !alone.has(finding.key) && edited.presence !== 'absent')
    .map(({ finding, edited, action }) => ({
      text: summaryOf(finding, edited),
      findings: [finding.key],
      positive: true,
      action,
      gone: false,
    }));
}

function saidOf(finding: Finding, edited: Edited): string {
  const comment = edited.comment.trim() === '' ? '' : ` ${edited.comment.trim()}`;
  if (edited.presence === 'absent') return `${finding.name}: not seen.${comment}`;
  return `${finding.name}: ${edited.presence}${detailsOf(finding, edited)}.${comment}`;
}

function summaryOf(finding: Finding, edited: Edited): string {
  if (edited.presence === 'absent') return '';
  const words = `${finding.name}${detailsOf(finding, edited)}.`;
  return edited.presence === 'uncertain' ? `${POSSIBLE}${lowerFirst(words)}` : words;
}

/** Count, grade and places after commas, as in ", a few, small, right upper lobe". */
function detailsOf(finding: Finding, { count, grade, lobes, sides }: Edited): string {
  const both = sides.length === 2 ? ['both sides'] : sides;
  const words = [
    count === null ? '' : COUNTS[count],
    grade === null ? '' : (finding.grades[grade] ?? ''),
    ...(lobes.length > 0 ? lobes : both),
  ];
  return words
    .filter((word) => word !== '')
    .map((word) => `, ${word}`)
    .join('');
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
