/** The staging of a tumour: items that are read in an order of their own, each by its level. */
import type { Distance, Finding, Result } from '../api/types';

/** The keys of the items, in the order in which they are read. The first is what the others but the nodes are of. */
export const ITEMS = ['tumour', 'location', 'peritoneum', 't_stage', 'crm', 'sphincter', 'nodes', 'emvi'] as const;
const [TUMOUR] = ITEMS;
const ALWAYS_THERE: ReadonlySet<string> = new Set(['location', 't_stage']);

/** Whether a result stages a tumour: its findings are items of staging. */
export function isStaging({ findings }: Result): boolean {
  return findings.some(({ key }) => key === TUMOUR) && findings.every(({ key }) => placeOfItem(key) >= 0);
}

/** Place of an item in the order; -1 of other findings. */
export function placeOfItem(key: string): number {
  return ITEMS.findIndex((item) => item === key);
}

/** The items that nothing is said of. */
export function notAssessed({ findings }: Result): string[] {
  return ITEMS.filter((item) => !findings.some(({ key }) => key === item));
}

/** Whether the result says that there is no tumour, of which most items would be. */
export function isWithoutTumour({ findings }: Result): boolean {
  return findings.some(({ key, presence }) => key === TUMOUR && presence === 'absent');
}

/** Whether an item has a level and no absence: its probability is that of the level, and no point makes it present. */
export function isAlwaysThere({ key }: Pick<Finding, 'key'>): boolean {
  return ALWAYS_THERE.has(key);
}

/** The distances of a finding. */
export function distancesOf({ distances = [] }: Result, { key }: Pick<Finding, 'key'>): Distance[] {
  return distances.filter(({ finding }) => finding === key);
}
