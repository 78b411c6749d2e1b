/** What changed since the prior study, from the section of an AI result that compares it. */
import type { Change, ChangeOfFinding, Finding, NamedSlice, Obstacle, Side, SincePrior } from '../api/types';
import * as C from './concepts';
import { all, first, is, type ContentItem } from './content';

const SLICES_OF_CHANGE = 3;

/** The words of the agent, `pacs_agent/results/comparison.py`. */
const SAID: readonly (readonly [RegExp, Change])[] = [
  [/^new since /, 'new'],
  [/^present on \S+, not found now/, 'gone'],
  [/^(larger|more marked) than on /, 'larger'],
  [/^(smaller|less marked) than on /, 'smaller'],
  [/^(without significant change since|present on \S+ as well) ?/, 'unchanged'],
  [/^cannot be compared with /, 'not_comparable'],
];

/** Why a finding cannot be compared, in the words of the agent. */
const OBSTACLES: readonly (readonly [string, Obstacle])[] = [
  ['it is uncertain in one of the two studies', 'uncertain'],
  ['in one of the two studies its side is not known', 'place'],
  ['it is seen in other lobes', 'lobes'],
  ['another number of them is seen', 'count'],
  ['it lies on another number of sides', 'extent'],
  ['its grades are too near to each other, or one is not known', 'grade'],
  ['its grade and its measurement changed in opposite ways', 'contradiction'],
];

type Size = Pick<ChangeOfFinding, 'by' | 'value' | 'prior_value'>;

/** The comparison; null where the document has none. `studyDate`: of the study that was read, VR DA. */
export function sincePriorOf(content: ContentItem, findings: readonly Finding[], studyDate: string): SincePrior | null {
  const section = first(content, C.COMPARISON);
  if (section === null) return null;
  const about = first(section, C.COMMENT)?.text ?? '';
  return {
    study_date: isoDay(studyDate),
    prior_study_instance_uid: first(section, C.STUDY_INSTANCE_UID)?.uid ?? null,
    prior_study_date: isoDay(first(section, C.STUDY_DATE)?.date ?? ''),
    prior_series_instance_uid: null,
    not_compared: /^Not compared with [^.]+\. (.*)$/s.exec(about)?.[1] ?? '',
    findings: all(section, C.FINDING).flatMap((item) => changeOf(item, findings)),
  };
}

/** As in "Pleural effusion on the left: larger than on 2026-05-03 (420 mL, then 300 mL)." */
function changeOf(item: ContentItem, findings: readonly Finding[]): ChangeOfFinding[] {
  const code = first(item, C.FINDING)?.code;
  const finding = code && findings.find((each) => is(each.code, [code.value, code.scheme]));
  const [, place = '', side, said = ''] = /^[^:]*?( on (?:the (right|left)|both sides))?: (.*)\.$/s.exec(item.text) ?? [];
  const change = SAID.find(([words]) => words.test(said))?.[1];
  if (!finding || change === undefined) return [];
  const obstacle = change === 'not_comparable' ? (OBSTACLES.find(([words]) => said.includes(words))?.[1] ?? null) : null;
  const sides: Side[] = place === '' ? [] : side === undefined ? ['right', 'left'] : [side as Side];
  const slices = finding.evidence.slice(0, SLICES_OF_CHANGE).map(named);
  const images = item.children.map((child) => child.image).filter((image) => image !== null);
  const prior_slices = images.map(({ sopInstanceUid, frame }) => ({ sop_instance_uid: sopInstanceUid, frame_number: frame }));
  return [{ finding: finding.key, change, sides, ...sizeOf(said, finding), obstacle, slices, prior_slices }];
}

function sizeOf(said: string, finding: Finding): Size {
  const [, now, then] = /\((.+), then (.+)\)$/.exec(said) ?? [];
  if (now === undefined || then === undefined) return { by: 'presence', value: null, prior_value: null };
  const by = now.endsWith(' mL') ? 'volume' : now.endsWith(' mm') ? 'diameter' : 'grade';
  const valueOf = (words: string): number => (by === 'grade' ? finding.grades.indexOf(words) : parseFloat(words));
  return { by, value: valueOf(now), prior_value: valueOf(then) };
}

function named({ sop_instance_uid, frame_number }: NamedSlice): NamedSlice {
  return { sop_instance_uid, frame_number };
}

/** PS3.5 6.2, DA. */
function isoDay(date: string): string | null {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})$/.exec(date) ?? [];
  return year === undefined ? null : `${year}-${month ?? ''}-${day ?? ''}`;
}
