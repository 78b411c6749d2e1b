/** One measurement group of an AI result as a finding. TID 1501. */
import type { Coded, Evidence, Finding, Side } from '../api/types';
import * as C from './concepts';
import { all, first, is, type ContentItem } from './content';

/** Index of a slice in the series by its instance and frame; -1 where the series has no such slice. */
export type IndexOf = (sopInstanceUid: string, frame: number | null) => number;

/** The finding of a group; null where it says neither what nor how probable. `sliceCount`: of the series. */
export function findingOf(group: ContentItem, sliceCount: number, indexOf: IndexOf): Finding | null {
  const key = first(group, C.TRACKING_IDENTIFIER)?.text;
  const code = first(group, C.FINDING)?.code;
  const probability = first(group, C.PROBABILITY);
  const likely = share(probability?.value);
  if (!key || !code || !probability || likely === null) return null;
  const presence = first(group, C.PRESENCE);
  const evidence = evidenceOf(group, indexOf);
  return {
    key,
    name: code.meaning,
    code,
    ...placeOf(all(group, C.FINDING_SITE)),
    concern: 0,
    probability: likely,
    operating_point: share(presence && first(presence, C.OPERATING_POINT)?.value) ?? 0.5,
    uncertain_from: uncertainFrom(probability),
    presence: C.PRESENCES[presence?.code?.value ?? ''] ?? 'uncertain',
    ...gradeOf(group),
    count: C.COUNTS[first(group, C.COUNT)?.code?.value ?? ''] ?? null,
    applies: [], // without the agent nothing is reviewed
    slice_weights: weightsOf(evidence, sliceCount),
    evidence,
  };
}

/** Each weight is followed by the heat of its slice, where that is known. */
function evidenceOf(group: ContentItem, indexOf: IndexOf): Evidence[] {
  const found: Evidence[] = [];
  for (const child of group.children) {
    const last = found.at(-1);
    if (is(child.name, C.SLICE_EVIDENCE)) found.push(...weightOf(child, indexOf));
    else if (is(child.name, C.PEAK_HEAT) && last) {
      last.peak_heat = share(child.value);
      last.peak_mm = child.children.find((each) => each.point)?.point ?? null;
    }
  }
  return found;
}

function weightOf(item: ContentItem, indexOf: IndexOf): Evidence[] {
  const image = item.children.find((child) => child.image)?.image;
  if (!image || item.value === null) return [];
  const { sopInstanceUid, frame } = image;
  const index = indexOf(sopInstanceUid, frame);
  const none = { peak_px: null, peak_mm: null, peak_heat: null };
  const slice = { index, sop_instance_uid: sopInstanceUid, frame_number: frame, weight: item.value / 100 };
  return index < 0 ? [] : [{ ...slice, ...none }];
}

/** The SR keeps the weights of the evidence slices only; the others count as nothing. */
function weightsOf(evidence: Evidence[], sliceCount: number): number[] {
  const weights = new Array<number>(sliceCount).fill(0);
  for (const { index, weight } of evidence) weights[index] = weight;
  return weights;
}

function placeOf(sites: ContentItem[]): { site: Coded; sides: Side[]; lobes: string[] } {
  const lobes = sites.map(lobeOf).filter((lobe) => lobe !== null);
  const lateral = sites.flatMap(sidesOf);
  const named = new Set<string>([...lateral, ...lobes.map((lobe) => lobe.split(' ')[0] ?? '')]);
  const sides = (['right', 'left'] as const).filter((side) => named.has(side));
  const site = lobes.length > 0 ? C.LUNG : (sites[0]?.code ?? C.LUNG);
  return { site, sides, lobes };
}

function lobeOf(site: ContentItem): string | null {
  const level = C.LOBE_LEVELS[site.code?.value ?? ''];
  if (level === undefined) return null;
  const side = level === 'middle' ? 'right' : sidesOf(site)[0];
  return side === undefined ? null : `${side} ${level} lobe`;
}

function sidesOf(site: ContentItem): readonly Side[] {
  return C.SIDES[first(site, C.LATERALITY)?.code?.value ?? ''] ?? [];
}

/** A level of the model's own is known by its words alone: of the others the document says nothing. */
function gradeOf(group: ContentItem): Pick<Finding, 'grade' | 'grade_word' | 'grades'> {
  const level = first(group, C.GRADE)?.code?.meaning ?? '';
  if (level !== '') return { grade: 0, grade_word: level, grades: [level] };
  const severity = first(group, C.SEVERITY)?.code?.value;
  const size = first(group, C.SIZE)?.code?.value;
  const table = severity === undefined ? C.SIZES : C.SEVERITIES;
  const position = table.findIndex(({ code }) => code === (severity ?? size));
  if (position < 0) return { grade: null, grade_word: '', grades: [] };
  const grades = table.map(({ word }) => word);
  return { grade: position, grade_word: grades[position] ?? '', grades };
}

function uncertainFrom(probability: ContentItem): number | null {
  for (const { text } of all(probability, C.ALGORITHM_PARAMETERS)) {
    const said = /^uncertain from ([\d.]+) %$/.exec(text)?.[1];
    if (said !== undefined) return Number(said) / 100;
  }
  return null;
}

function share(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : value / 100;
}
