/** Which slices a finding rests on, in the order a reader walks through them. No state, no viewer. */
import type { Finding, Result } from '../api/types';
import { standing } from '../store/derived';
import { slicesRead } from '../store/series';

/** The places that hold evidence, without repeats, in the order of the wheel. */
export function evidencePlaces(findings: readonly Finding[], places: readonly number[]): number[] {
  const found = findings.flatMap((finding) => finding.evidence.map(({ index }) => places[index] ?? -1));
  return [...new Set(found.filter((place) => place >= 0))].sort((a, b) => a - b);
}

/**
 * The evidence after (1) or before (-1) a place; from the last one on to the first, so that one key walks round.
 *
 * From a place that is none of the series (-1) the walk begins at its end in that direction. Null without evidence.
 */
export function nextPlace(evidence: readonly number[], from: number, direction: 1 | -1): number | null {
  const ahead = from < 0 ? [] : evidence.filter((place) => (place - from) * direction > 0);
  const walk = ahead.length > 0 ? ahead : evidence;
  return (direction === 1 ? walk[0] : walk[walk.length - 1]) ?? null;
}

/** The findings whose evidence is walked and drawn: the selected one, or all that are not absent. */
export function findingsShown(result: Result, selected: string | null): Finding[] {
  const one = result.findings.find((finding) => finding.key === selected);
  return one ? [one] : standing(result);
}

/** Weight of each slice that was read: of the selected finding, or the largest of those that are present. */
export function weightsShown(result: Result, selected: string | null): number[] {
  const one = result.findings.find((finding) => finding.key === selected);
  const findings = one ? [one] : result.findings.filter((finding) => finding.presence === 'present');
  return slicesRead(result).map((_, index) => Math.max(0, ...findings.map((finding) => finding.slice_weights[index] ?? 0)));
}

/** Weights by place of the wheel instead of by slice of the series; places that the series lacks have null. */
export function byPlace(weights: readonly number[], places: readonly number[], count: number): (number | null)[] {
  const placed = new Array<number | null>(count).fill(null);
  places.forEach((place, index) => {
    if (place >= 0) placed[place] = weights[index] ?? 0;
  });
  return placed;
}

/** The finding after (1) or before (-1) the selected one; from none, the first or the last. Null where there is none. */
export function nextFinding(findings: readonly Finding[], selected: string | null, direction: 1 | -1): string | null {
  const at = findings.findIndex((finding) => finding.key === selected);
  const next = at < 0 ? (direction === 1 ? 0 : findings.length - 1) : Math.min(findings.length - 1, Math.max(0, at + direction));
  return findings[next]?.key ?? null;
}
