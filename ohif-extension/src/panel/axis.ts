/** The slices of a series from head to foot, and what a finding weighs on each. */
import type { Finding, Slice } from '../api/types';
import type { SeriesRead } from '../store/series';
import type { CurrentSlice } from '../store/store';

/** A slice at its place along the axis. */
export interface Place {
  /** Of the slice among all that were read, as the model counts them. */
  readonly index: number;
  /** Of the slice in its series. */
  readonly at: number;
  readonly slice: Slice;
  readonly weight: number;
}

/** From head to foot, from left to right or from back to front: against the z of the slices. */
export function headToFoot({ series, first }: SeriesRead, finding: Pick<Finding, 'slice_weights'>): Place[] {
  return series.slices
    .map((slice, at) => ({ index: first + at, at, slice, weight: finding.slice_weights[first + at] ?? 0 }))
    .sort((a, b) => b.slice.z_mm - a.slice.z_mm);
}

/** The strongest weight in each of at most `bins` equal stretches, so that no peak is lost. */
export function binned(weights: readonly number[], bins: number): number[] {
  const count = Math.min(bins, weights.length);
  return Array.from({ length: count }, (_, bin) => {
    const from = Math.floor((bin * weights.length) / count);
    const to = Math.max(from + 1, Math.floor(((bin + 1) * weights.length) / count));
    return Math.max(...weights.slice(from, to));
  });
}

/** Bars of width 1 upon the line y = 1, as the path of an SVG of `heights.length` × 1. */
export function barsPath(heights: readonly number[]): string {
  return heights
    .map((height, at) => (height <= 0 ? '' : `M${at} 1v${(-Math.min(1, height)).toFixed(3)}h1V1z`))
    .join('');
}

/** Where the slice on display is among the places; -1 when it is not of this series. */
export function placeOf(places: readonly Place[], current: CurrentSlice | null): number {
  if (current === null) return -1;
  return places.findIndex(
    ({ slice }) =>
      slice.sop_instance_uid === current.sopInstanceUid &&
      (slice.frame_number === null || current.frame === null || slice.frame_number === current.frame),
  );
}

/** The number a radiologist knows a slice by: its instance or frame number, else its place in the series. */
export function sliceNumber(slice: Slice, index: number): number {
  return slice.frame_number ?? slice.instance_number ?? index + 1;
}

/** Position along the patient in whole mm, with a real minus sign. */
export function positionInWords(z_mm: number): string {
  return `${Math.round(z_mm)} mm`.replace('-', '−');
}
