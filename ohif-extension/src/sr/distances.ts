/** Measurement groups of an AI result that give a distance between two points of the patient. TID 1501, 300. */
import type { Distance, Finding } from '../api/types';
import * as C from './concepts';
import { first, is, type ContentItem } from './content';
import type { IndexOf } from './finding';

const MILLIMETRE = 'mm';

/** The distances, each of one of the findings. What says how probable a finding is, or speaks of a segment, is none. */
export function distancesIn(groups: readonly ContentItem[], findings: readonly Finding[], indexOf: IndexOf): Distance[] {
  return groups.flatMap((group) => distanceOf(group, findings, indexOf) ?? []);
}

function distanceOf(group: ContentItem, findings: readonly Finding[], indexOf: IndexOf): Distance | null {
  if (first(group, C.PROBABILITY) ?? first(group, C.REFERENCED_SEGMENT)) return null;
  const code = first(group, C.FINDING)?.code;
  const finding = code && findings.find((each) => is(each.code, [code.value, code.scheme]));
  const length = group.children.find(({ valueType, unit }) => valueType === 'NUM' && unit === MILLIMETRE);
  if (!finding || length?.value === undefined || length.value === null) return null;
  const [from, to] = length.children.flatMap(({ points }) => points);
  const image = group.children.find((child) => child.image)?.image;
  const index = image ? indexOf(image.sopInstanceUid, image.frame) : -1;
  return {
    finding: finding.key,
    name: first(group, C.TRACKING_IDENTIFIER)?.text ?? length.name.meaning,
    value_mm: length.value,
    ...(from && to && { ends_mm: [from, to] }),
    index: index < 0 ? null : index,
  };
}
