/** Measurement groups of an AI result that speak of segments, TID 1411. */
import type { Finding, Measurements, Region, Side } from '../api/types';
import * as C from './concepts';
import { all, first, is, type Concept, type ContentItem } from './content';
import type { IndexOf } from './finding';

/** What was measured of outlined regions; null where no group speaks of a segment. */
export function measurementsOf(
  groups: readonly ContentItem[],
  findings: readonly Finding[],
  indexOf: IndexOf,
): Measurements | null {
  const regions = groups.map((group) => regionOf(group, findings, indexOf)).filter((each) => each !== null);
  return regions.length === 0 ? null : { regions };
}

function regionOf(group: ContentItem, findings: readonly Finding[], indexOf: IndexOf): Region | null {
  const segment = first(group, C.REFERENCED_SEGMENT)?.image?.segment ?? null;
  const volume_ml = valueOf(group, C.VOLUME);
  const longest_diameter_mm = valueOf(group, C.LONG_AXIS);
  const short_diameter_mm = valueOf(group, C.SHORT_AXIS);
  if (segment === null || volume_ml === null || longest_diameter_mm === null || short_diameter_mm === null) return null;
  const finding = findingOfRegion(group, findings);
  const side = sideOf(group);
  const image = first(group, C.LONG_AXIS)?.children.find((child) => child.image)?.image;
  return {
    ...nameOf(first(group, C.TRACKING_IDENTIFIER)?.text ?? '', side),
    kind: is(first(group, C.FINDING_CATEGORY)?.code ?? null, C.ORGAN) ? 'organ' : 'lesion',
    finding: finding?.key ?? null,
    side,
    segment_number: segment,
    stated: isStated(finding, side),
    volume_ml,
    longest_diameter_mm,
    short_diameter_mm,
    diameter_index: image ? indexOf(image.sopInstanceUid, image.frame) : -1,
    ...densityOf(group),
  };
}

/** The same rule by which the agent writes numbers into sentences. */
function isStated(finding: Finding | null, side: Region['side']): boolean {
  if (finding === null) return true;
  return finding.presence === 'present' && (side === '' || finding.sides.length === 0 || finding.sides.includes(side));
}

/** The finding that a group names; a group that says nothing of presence measures none. */
function findingOfRegion(group: ContentItem, findings: readonly Finding[]): Finding | null {
  const code = first(group, C.PRESENCE) && first(group, C.FINDING)?.code;
  return (code && findings.find((each) => is(each.code, [code.value, code.scheme]))) ?? null;
}

function sideOf(group: ContentItem): Region['side'] {
  const site = first(group, C.FINDING_SITE);
  const sides: readonly Side[] = C.SIDES[(site && first(site, C.LATERALITY)?.code?.value) ?? ''] ?? [];
  return sides.length === 1 ? (sides[0] ?? '') : '';
}

/** "Lung nodule 2, left" is the second of its structure. */
function nameOf(identifier: string, side: Region['side']): { name: string; number: number } {
  const named = side === '' ? identifier : identifier.replace(`, ${side}`, '');
  const parts = /^(.*\S) (\d+)$/.exec(named);
  return { name: parts?.[1] ?? named, number: Number(parts?.[2] ?? 1) };
}

function densityOf(group: ContentItem): Pick<Region, 'mean_hu' | 'sd_hu'> {
  const by = (mean: boolean): number | null =>
    all(group, C.ATTENUATION).find((item) => is(first(item, C.DERIVATION)?.code ?? null, C.MEAN) === mean)?.value ?? null;
  return { mean_hu: by(true), sd_hu: by(false) };
}

function valueOf(group: ContentItem, name: Concept): number | null {
  return first(group, name)?.value ?? null;
}
