/** Contrast of the colours of the style sheet (WCAG 2.2, 1.4.3 and 1.4.11), computed from the sheet itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const css = readFileSync(join(import.meta.dirname, 'panel.css'), 'utf8');
const TEXT = ['text', 'soft', 'ai', 'present', 'uncertain', 'absent', 'good', 'bad'];
const CONTROLS = ['edge', 'focus'];
const GROUNDS = ['bg', 'raised', 'sunk'];

function colour(name: string): number[] {
  const found = new RegExp(`--pa-${name}: #([0-9a-f]{6});`).exec(css)?.[1];
  if (found === undefined) throw new Error(`no colour --pa-${name}`);
  return [0, 2, 4].map((at) => parseInt(found.slice(at, at + 2), 16) / 255);
}

/** Relative luminance, WCAG 2.2. */
function luminance(name: string): number {
  const [red = 0, green = 0, blue = 0] = colour(name).map((c) =>
    c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

describe('contrast', () => {
  it.each(GROUNDS.flatMap((ground) => TEXT.map((text) => [text, ground] as const)))(
    '%s on %s reads',
    (text, ground) => {
      expect(contrast(text, ground)).toBeGreaterThanOrEqual(4.5);
    },
  );

  it.each(GROUNDS.flatMap((ground) => CONTROLS.map((control) => [control, ground] as const)))(
    '%s on %s shows',
    (control, ground) => {
      expect(contrast(control, ground)).toBeGreaterThanOrEqual(3);
    },
  );

  it('is calm: nothing is as bright as white paper', () => {
    for (const name of [...TEXT, ...GROUNDS]) expect(luminance(name)).toBeLessThan(0.72);
  });
});
