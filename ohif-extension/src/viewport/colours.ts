/** From a value in [0, 1] to a colour that stands out from grey images. */

/** Red, green, blue and opacity, each from 0 to 255. */
export type Rgba = readonly [number, number, number, number];

/**
 * Stops of the colour map "inferno" (matplotlib, CC0), from its purple on: what is darker would vanish on black lung.
 * Lightness grows all along, so that it can be read without telling hues apart.
 */
const STOPS: readonly (readonly [number, number, number])[] = [
  [87, 16, 110],
  [137, 34, 106],
  [187, 55, 84],
  [227, 89, 51],
  [249, 140, 10],
  [249, 201, 50],
  [252, 255, 164],
];

/** Below this heat nothing is drawn; from `SOLID` on it is as opaque as the reader has chosen. */
export const FAINT = 0.05;
const SOLID = 0.35;

/** Colour of a value, its opacity aside. */
export function colourOf(value: number): readonly [number, number, number] {
  const at = clamp(value) * (STOPS.length - 1);
  const low = STOPS[Math.floor(at)] ?? [0, 0, 0];
  const high = STOPS[Math.ceil(at)] ?? low;
  const share = at - Math.floor(at);
  const mix = (channel: 0 | 1 | 2) => Math.round(low[channel] + (high[channel] - low[channel]) * share);
  return [mix(0), mix(1), mix(2)];
}

/** Opacity of a value from 0 to 1: nothing where the model sees nothing, without an edge in between. */
export function opacityOf(value: number): number {
  const share = clamp((value - FAINT) / (SOLID - FAINT));
  return share * share * (3 - 2 * share);
}

export function heatColour(value: number): Rgba {
  return [...colourOf(value), Math.round(255 * opacityOf(value))];
}

/** For style sheets and canvases. */
export function cssColour(value: number): string {
  return `rgb(${colourOf(value).join(' ')})`;
}

/** The scale of the legend, from left to right, as a CSS gradient. */
export function cssScale(): string {
  const stops = Array.from({ length: 11 }, (_, tenth) => {
    const [red, green, blue, opacity] = heatColour(tenth / 10);
    return `rgb(${red} ${green} ${blue} / ${(opacity / 255).toFixed(2)})`;
  });
  return `linear-gradient(to right, ${stops.join(', ')})`;
}

function clamp(value: number): number {
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
}
