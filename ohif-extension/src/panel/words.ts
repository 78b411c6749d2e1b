/** What is said of a finding, in the reader's language. Names that we do not know stay as the model gives them. */
import type { Count, Delivery, Distance, Finding, Presence, Series, Side, Step } from '../api/types';
import { currentLanguage, t, type TextKey } from '../i18n';
import { en } from '../i18n/en';

type Described = Pick<Finding, 'presence' | 'sides' | 'lobes' | 'grade' | 'count'>;

export const LOBES = [
  'right upper lobe',
  'right middle lobe',
  'right lower lobe',
  'left upper lobe',
  'left lower lobe',
] as const;
export const SIDES: readonly Side[] = ['right', 'left'];
export const COUNTS: readonly Count[] = ['one', 'few', 'many'];
export const PRESENCES: readonly Presence[] = ['present', 'uncertain', 'absent'];

/** The text `panel.<name>` where there is one. */
function known(name: string, otherwise: string): string {
  return Object.hasOwn(en.panel, name) ? t(`panel.${name}` as TextKey) : otherwise;
}

export function findingName(finding: Pick<Finding, 'key' | 'name'>): string {
  return known(`name_${finding.key}`, finding.name);
}

/** The name of an item of staging that a result does not speak of. */
export function itemName(key: string): string {
  return known(`name_${key}`, key.replaceAll('_', ' '));
}

export function distanceName({ finding, name }: Distance): string {
  return known(`distance_${finding}_${name.toLowerCase().replaceAll(/[^a-z]+/g, '_')}`, name);
}

export function presenceWord(presence: Presence): string {
  return t(`panel.presence_${presence}`);
}

export function sideWord(side: Side): string {
  return t(`panel.side_${side}`);
}

export function lobeWord(lobe: string): string {
  return known(`lobe_${lobe.replaceAll(' ', '_')}`, lobe);
}

export function gradeWord(grade: string): string {
  return known(`grade_${grade.replaceAll(/[- ]/g, '_')}`, grade);
}

export function countWord(count: Count): string {
  return t(`panel.count_${count}`);
}

/** The level of an item of staging: "T3", "clear", "lower third". Where no grade is said, by whether it is there. */
export function levelWord({ key, grade, grades, grade_word, presence }: Finding): string {
  const grade_said = grade === null ? '' : (grades[grade] ?? grade_word);
  return grade_said === '' ? known(`level_${key}_${presence}`, presenceWord(presence)) : known(`level_${key}_${grade_said}`, gradeWord(grade_said));
}

/** What the probability of an item is of: "involved", also where it is clear; of one that always holds its level. */
export function likelyWord(finding: Finding): string {
  return known(`level_${finding.key}_present`, levelWord(finding));
}

/** The reasons a finding is rejected for, as the agent knows them; what else is said is the reader's own text. */
export const REASONS = [
  'not_there',
  'artifact',
  'normal_variant',
  'other_finding',
  'wrong_place',
  'not_relevant',
  'known',
] as const;

export function reasonWord(reason: string): string {
  return known(`reason_${reason}`, reason);
}

/** Where, how much, how many: "right upper lobe", "medium-sized", "one". */
export function details(said: Described, grades: readonly string[]): string[] {
  if (said.presence === 'absent') return [];
  const sides = said.sides.length === 2 ? [t('panel.bothSides')] : said.sides.map(sideWord);
  const places = said.lobes.length > 0 ? said.lobes.map(lobeWord) : sides;
  const grade = said.grade === null ? undefined : grades[said.grade];
  return [
    ...(places.length > 0 ? [places.join(', ')] : []),
    ...(grade === undefined ? [] : [gradeWord(grade)]),
    ...(said.count === null ? [] : [countWord(said.count)]),
  ];
}

/** The kind of a document. */
export function kindWord(kind: string): string {
  return known(`kind_${kind}`, kind.replaceAll('_', ' '));
}

/** "pacs: in the PACS": the destination by its name, and how far the document is. */
export function deliveryInWords({ destination, state }: Delivery): string {
  return `${destination}: ${known(`delivery_${state}`, state)}`;
}

/** The state of a reading job. */
export function jobWord(state: string): string {
  return known(`job_${state}`, state);
}

export function evidenceWord(method: string): string {
  return known(`evidence_${method}`, method.replaceAll('_', ' '));
}

/** "Select the series", "Deliver to PACS". The names are those of the pipeline. */
export function stepWord(step: Pick<Step, 'name'>): string {
  const [kind = '', destination] = step.name.split(':', 2);
  return destination === undefined
    ? known(`step_${kind}`, kind.replaceAll('_', ' '))
    : `${known(`step_${kind}_to`, kind)} ${destination}`;
}

/** A series by its plane, what its images show, and what it is described as. */
export function seriesName({ plane, sequence = '', description }: Series): string {
  const planeWord = plane === undefined ? '' : t(`panel.plane_${plane}`);
  return [planeWord, sequenceWord(sequence), description].filter((word) => word !== '').join(' · ');
}

/** The same as radiologists write it: "Ax T2". */
export function seriesInShort({ plane, sequence = '', description }: Series): string {
  const planeWord = plane === undefined ? '' : t(`panel.planeShort_${plane}`);
  return [planeWord, sequence === '' ? description : sequenceWord(sequence)].filter((word) => word !== '').join(' ');
}

/** "T1 after contrast" is T1 with a mark. */
function sequenceWord(sequence: string): string {
  return sequence.replace(' after contrast', ' +C');
}

/** Whole from 100 on, else with one decimal. */
export function decimal(value: number): string {
  const digits = value >= 100 ? 0 : 1;
  return value.toLocaleString(currentLanguage(), {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: false,
  });
}
