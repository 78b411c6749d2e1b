/** A grid of heat as a smooth picture. */
import { heatColour, type Rgba } from './colours';

/** Pixels of the picture for each patch, both ways. */
export const SCALE = 8;

const COLOURS: readonly Rgba[] = Array.from({ length: 256 }, (_, step) => heatColour(step / 255));

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, opacity of each pixel, row by row. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** The grid, `SCALE` times as fine, in colour. A row that is too short counts as 0 there. */
export function pictureOf(values: readonly (readonly number[])[]): Picture {
  const columns = Math.max(0, ...values.map((row) => row.length));
  const wide = values.map((row) => finer(Array.from({ length: columns }, (_, column) => row[column] ?? 0)));
  const [width, height] = [columns * SCALE, values.length * SCALE];
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let u = 0; u < width; u++) {
    finer(wide.map((row) => row[u] ?? 0)).forEach((heat, v) => pixels.set(colourStep(heat), (v * width + u) * 4));
  }
  return { width, height, pixels };
}

/**
 * A line of values, `SCALE` times as fine: value i lies in the middle of the pixels from i·SCALE to (i + 1)·SCALE.
 *
 * Catmull-Rom goes through the values, so that a peak stays as high and where it is. Past the outermost centres the
 * outermost value counts.
 */
export function finer(line: readonly number[]): number[] {
  const last = line.length - 1;
  const at = (place: number) => line[Math.min(last, Math.max(0, place))] ?? 0;
  return Array.from({ length: line.length * SCALE }, (_, pixel) => {
    const place = (pixel + 0.5) / SCALE - 0.5;
    const left = Math.floor(place);
    return between(place - left, at(left - 1), at(left), at(left + 1), at(left + 2));
  });
}

/** The cubic of Catmull and Rom (1974) from `b` (share 0) to `c` (share 1), with `a` before and `d` after them. */
function between(share: number, a: number, b: number, c: number, d: number): number {
  const slope = (c - a) / 2;
  const bend = a - 2.5 * b + 2 * c - d / 2;
  const turn = (d - a) / 2 + 1.5 * (b - c);
  return b + share * (slope + share * (bend + share * turn));
}

function colourStep(heat: number): Rgba {
  return COLOURS[Math.round(255 * Math.min(1, Math.max(0, heat)))] ?? [0, 0, 0, 0];
}

/** The picture as a data URL, for the `href` of an SVG image; null where the page draws no canvas. */
export function dataUrlOf(picture: Picture): string | null {
  const canvas = document.createElement('canvas');
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext('2d');
  if (context === null || picture.width === 0) return null;
  context.putImageData(new ImageData(picture.pixels, picture.width, picture.height), 0, 0);
  return canvas.toDataURL('image/png');
}
