import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FAINT, colourOf, cssScale, heatColour, opacityOf } from './colours';
import { SCALE, finer, pictureOf } from './heat-picture';

const heats = fc.double({ min: 0, max: 1, noNaN: true });

it('is as bright at the centre of a patch as the patch is hot', () => {
  fc.assert(
    fc.property(fc.array(heats, { minLength: 2, maxLength: 12 }), (line) => {
      const fine = finer(line);
      line.forEach((value, at) => {
        const beside = [fine[at * SCALE + SCALE / 2 - 1]!, fine[at * SCALE + SCALE / 2]!];
        expect(Math.min(...beside)).toBeLessThan(value + 0.1);
        expect(Math.max(...beside)).toBeGreaterThan(value - 0.1);
      });
    }),
  );
});

it('has its maximum in the hottest patch', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9 }), fc.double({ min: 0.3, max: 1, noNaN: true }), (hot, heat) => {
      const fine = finer(Array.from({ length: 10 }, (_, at) => (at === hot ? heat : 0.05)));
      expect(Math.floor(fine.indexOf(Math.max(...fine)) / SCALE)).toBe(hot);
    }),
  );
});

it('is even where the heat is even, up to its edges', () => {
  expect(finer([0.4, 0.4, 0.4]).every((value) => Math.abs(value - 0.4) < 1e-12)).toBe(true);
});

it('draws nothing where there is no heat, and all of the picture where there is', () => {
  const { width, height, pixels } = pictureOf([
    [0, 0],
    [1, 1],
    [0, 0],
  ]);
  expect([width, height, pixels.length]).toEqual([2 * SCALE, 3 * SCALE, 2 * 3 * SCALE * SCALE * 4]);
  expect(pixels[3]).toBe(0);
  const middle = (Math.floor(1.5 * SCALE) * width + SCALE) * 4;
  expect(pixels[middle + 3]).toBeGreaterThan(250);
});

it('gets lighter with every step of heat, and never less opaque', () => {
  const lightness = (value: number) => colourOf(value).reduce((sum, channel, at) => sum + channel * [0.21, 0.72, 0.07][at]!, 0);
  const steps = Array.from({ length: 101 }, (_, step) => step / 100);
  steps.slice(1).forEach((value, before) => {
    expect(lightness(value)).toBeGreaterThanOrEqual(lightness(steps[before]!) - 0.5);
    expect(opacityOf(value)).toBeGreaterThanOrEqual(opacityOf(steps[before]!));
  });
  expect(opacityOf(FAINT)).toBe(0);
  expect(heatColour(NaN)[3]).toBe(0);
  expect(cssScale()).toContain('linear-gradient');
});
