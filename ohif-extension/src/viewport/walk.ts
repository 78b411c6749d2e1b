/** From one slice of evidence to the next, through all series that were read. */
import type { Evidence, Finding, Result, Series } from '../api/types';
import type { Viewport } from '../ohif/types';
import { seriesRead, slicesRead } from '../store/series';
import { store } from '../store/store';
import { evidencePlaces, findingsShown, nextPlace } from './evidence-order';
import { viewerNow } from './navigate';
import { showPoint } from './point';
import type { ShownViewports } from './shown';
import { indexIn, placesOf } from './slices';

/** To the next (1) or previous (-1) slice that the selected finding rests on, in the order of the wheel. */
export async function stepEvidence(direction: 1 | -1): Promise<boolean> {
  const viewer = viewerNow();
  const result = store.get().answer?.result ?? null;
  if (viewer === null || result === null) return false;
  const target = evidenceFrom(viewer.shown, result, direction);
  return target === null ? false : showPoint(target, target.peak_mm);
}

/** The slices a finding rests on, in the order in which the keys and the wheel come to them. */
export function evidenceOnWheel(finding: Finding): Evidence[] {
  const viewer = viewerNow();
  const result = store.get().answer?.result;
  if (viewer === null || !result) return [...finding.evidence].sort((a, b) => a.index - b.index);
  const places = wheelPlaces(viewer.shown, result);
  return [...finding.evidence].sort((a, b) => (places[a.index] ?? -1) - (places[b.index] ?? -1));
}

/** The evidence that comes next; where several findings rest on that slice, of the one that does most. */
function evidenceFrom(shown: ShownViewports, result: Result, direction: 1 | -1): Evidence | null {
  const { selected, current } = store.get();
  const places = wheelPlaces(shown, result);
  const findings = findingsShown(result, selected);
  const from = places[indexIn(slicesRead(result), current)] ?? -1;
  const place = nextPlace(evidencePlaces(findings, places), from, direction);
  const there = findings.flatMap(({ evidence }) => evidence).filter(({ index }) => places[index] === place);
  return there.sort((a, b) => b.weight - a.weight)[0] ?? null;
}

/** A number for each slice that was read, growing along the way through the series; -1 for what no wheel comes to. */
function wheelPlaces(shown: ShownViewports, result: Result): number[] {
  const places: number[] = [];
  let passed = 0;
  for (const { series, first } of seriesRead(result)) {
    const onWheel = placesOnWheel(shown, series);
    onWheel.forEach((place, at) => (places[first + at] = place < 0 ? -1 : passed + place));
    passed += Math.max(0, ...onWheel) + 1;
  }
  return places;
}

/** Place of each slice of a series on the wheel of the viewport that shows it; their own order where none does. */
function placesOnWheel(shown: ShownViewports, series: Series): number[] {
  for (const viewport of activeFirst(shown)) {
    const scrolled = shown.scrolled(viewport);
    const places = scrolled ? placesOf(series.slices, scrolled) : [];
    if (places.some((place) => place >= 0)) return places;
  }
  return series.slices.map((_, index) => index);
}

function activeFirst(shown: ShownViewports): Viewport[] {
  const { active, viewports } = shown;
  return active ? [active, ...viewports.filter((viewport) => viewport !== active)] : viewports;
}
