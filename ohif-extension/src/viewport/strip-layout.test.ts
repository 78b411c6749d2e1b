import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bandsOf, middleOf, placeAt, sharesOf } from './strip-layout';

const weights = fc.array(fc.option(fc.double({ min: 0, max: 1, noNaN: true })), { minLength: 1, maxLength: 900 });
const heights_px = fc.integer({ min: 20, max: 2000 });

it('covers the strip without gaps and loses no peak', () => {
  fc.assert(
    fc.property(weights, heights_px, (each, height_px) => {
      const bands = bandsOf(each, height_px);
      bands.forEach((band, at) => expect(band.top_px).toBeCloseTo((at * height_px) / bands.length));
      expect(bands.reduce((sum, band) => sum + band.height_px, 0)).toBeCloseTo(height_px);
      const known = each.filter((weight) => weight !== null);
      expect(Math.max(-1, ...bands.map((band) => band.weight ?? -1))).toBe(Math.max(-1, ...known));
    }),
  );
});

it('leads a click on a slice to that slice', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 900 }), heights_px, fc.nat(), (count, height_px, any) => {
      const place = any % count;
      expect(placeAt(middleOf(place, height_px, count), height_px, count)).toBe(place);
    }),
  );
});

it('ends at its ends', () => {
  expect([placeAt(-5, 100, 10), placeAt(100, 100, 10), placeAt(5, 0, 10), placeAt(5, 100, 0)]).toEqual([0, 9, 0, 0]);
  expect(bandsOf([0.5, 0.7], 0)).toEqual([]);
});

it('shows weights beside the largest one, but never makes little look like much', () => {
  expect(sharesOf([0.4, 0.2, null])).toEqual([1, 0.5, null]);
  expect(Math.max(...sharesOf([0.02, 0.01]).map(Number))).toBeCloseTo(0.1);
  expect(sharesOf([null, null])).toEqual([null, null]);
});
