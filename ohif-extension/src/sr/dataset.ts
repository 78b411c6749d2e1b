/**
 * Reading of data sets as dcmjs naturalises them: attributes by keyword, sequences as an array or as one bare object,
 * values as one or many. Every reader here takes what it finds and gives a plain form.
 */
import { isFields } from '../api/guards';

export type Dataset = Readonly<Record<string, unknown>>;

/** The items of a sequence; none where there is no such sequence. */
export function items(dataset: Dataset, keyword: string): Dataset[] {
  const value = dataset[keyword];
  if (Array.isArray(value)) return (value as unknown[]).filter(isFields);
  return isFields(value) ? [value] : [];
}

/** The first item of a sequence. */
export function item(dataset: Dataset, keyword: string): Dataset | null {
  return items(dataset, keyword)[0] ?? null;
}

/** All values of an attribute as text; none where it is empty or absent. */
export function texts(dataset: Dataset, keyword: string): string[] {
  return values(dataset[keyword]).map(asText).filter((value) => value !== '');
}

/** The first value of an attribute as text; empty where there is none. */
export function text(dataset: Dataset, keyword: string): string {
  return texts(dataset, keyword)[0] ?? '';
}

/** All values of an attribute as numbers; those that are none are left out. */
export function numbers(dataset: Dataset, keyword: string): number[] {
  return texts(dataset, keyword).map(Number).filter(Number.isFinite);
}

function values(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [value];
}

/** Names of persons are objects in some versions of dcmjs; they are of no use here. */
function asText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
}
