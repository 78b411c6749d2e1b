/** The heat strip as numbers: which slice lies where along it. Pure. */

/** A stretch of the strip, in CSS pixels from its top. */
export interface Band {
  readonly top_px: number;
  readonly height_px: number;
  /** The largest value in the stretch; null where no slice of the agent's series lies. */
  readonly weight: number | null;
}

/** The strip in bands: one for each slice, or one for each pixel where slices are finer than pixels. */
export function bandsOf(weights: readonly (number | null)[], height_px: number): Band[] {
  const count = Math.min(weights.length, Math.max(0, Math.floor(height_px)));
  return Array.from({ length: count }, (_, band) => {
    const from = Math.floor((band * weights.length) / count);
    const to = Math.max(from + 1, Math.floor(((band + 1) * weights.length) / count));
    return { top_px: (band * height_px) / count, height_px: height_px / count, weight: largest(weights.slice(from, to)) };
  });
}

/** The place on the wheel under a point of the strip; the ends count for what lies beyond them. */
export function placeAt(y_px: number, height_px: number, count: number): number {
  if (height_px <= 0 || count <= 0) return 0;
  return Math.min(count - 1, Math.max(0, Math.floor((y_px / height_px) * count)));
}

/** The middle of a place, in CSS pixels from the top of the strip. */
export function middleOf(place: number, height_px: number, count: number): number {
  return count <= 0 ? 0 : ((place + 0.5) * height_px) / count;
}

/** Largest weights below this are shown as what they are: little. */
const LEAST_FULL = 0.2;

/**
 * Weights as shares of the largest one, for the strip, which says where and not how much.
 *
 * What the weights are is in the note and in the tip. A finding that weighs little everywhere never glows.
 */
export function sharesOf(weights: readonly (number | null)[]): (number | null)[] {
  const full = Math.max(LEAST_FULL, largest(weights) ?? 0);
  return weights.map((weight) => (weight === null ? null : weight / full));
}

function largest(weights: readonly (number | null)[]): number | null {
  const known = weights.filter((weight) => weight !== null);
  return known.length === 0 ? null : Math.max(...known);
}
