import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { centreOf, distance_mm, isOver, nearestImage, pixelOf, pointAt, type ImagePlane } from './plane';
import { between, cross, dot, minus, moved, vector, type Vector } from './vector';

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });

/** Two perpendicular unit vectors in any direction, from three angles. */
const directions = fc.tuple(number(-3, 3), number(-1.5, 1.5), number(-3, 3)).map(([a, b, c]): [Vector, Vector] => {
  const x: Vector = [Math.cos(a) * Math.cos(b), Math.sin(a) * Math.cos(b), Math.sin(b)];
  const y: Vector = [-Math.sin(a), Math.cos(a), 0];
  const z = cross(x, y);
  return [x, moved([0, 0, 0], moved(moved([0, 0, 0], y, Math.cos(c)), z, Math.sin(c)), 1)];
});

/** A stack of equal slices, `gap_mm` apart, that lies in the patient in any way. */
const stacks = fc
  .record({
    directions,
    origin: fc.tuple(number(-300, 300), number(-300, 300), number(-900, 900)),
    spacing: fc.tuple(number(0.3, 3), number(0.3, 3)),
    size: fc.tuple(fc.integer({ min: 2, max: 512 }), fc.integer({ min: 2, max: 512 })),
    gap_mm: number(0.5, 8),
    count: fc.integer({ min: 2, max: 60 }),
  })
  .map(({ directions: [row, column], origin, spacing, size, gap_mm, count }) => {
    const normal = cross(row, column);
    const planes = Array.from({ length: count }, (_, at): ImagePlane => ({
      ...{ position: moved(origin, normal, at * gap_mm), row, column, rowSpacing: spacing[0], columnSpacing: spacing[1] },
      ...{ rows: size[0], columns: size[1], frameOfReference: '1.9', thickness_mm: gap_mm },
    }));
    return { planes, normal, gap_mm };
  });

const share = number(0, 1);

describe('a plane', () => {
  it('gives back the pixel of a point of its own', () => {
    fc.assert(
      fc.property(stacks, share, share, ({ planes }, down, along) => {
        const plane = planes[0]!;
        const [row, column] = [down * (plane.rows - 1), along * (plane.columns - 1)];
        const point = pointAt(plane, row, column);
        const found = pixelOf(plane, point);
        expect(found[0]).toBeCloseTo(row, 6);
        expect(found[1]).toBeCloseTo(column, 6);
        expect(distance_mm(plane, point)).toBeCloseTo(0, 6);
        expect(isOver(plane, point)).toBe(true);
      }),
    );
  });

  it('measures the way to a point in front of it, whose pixel is where it stands', () => {
    fc.assert(
      fc.property(stacks, number(-500, 500), ({ planes, normal }, away_mm) => {
        const plane = planes[0]!;
        const point = moved(centreOf(plane), normal, away_mm);
        expect(distance_mm(plane, point)).toBeCloseTo(away_mm, 6);
        const [row, column] = pixelOf(plane, point);
        expect([row, column]).toEqual([expect.closeTo((plane.rows - 1) / 2, 5), expect.closeTo((plane.columns - 1) / 2, 5)]);
      }),
    );
  });
});

describe('the nearest image', () => {
  it('of a stack that lies in any way is the one the point is in, whatever the order of the stack', () => {
    fc.assert(
      fc.property(stacks, share, share, share, fc.boolean(), ({ planes, normal, gap_mm }, deep, down, along, turned) => {
        const from_mm = deep * (planes.length - 1) * gap_mm;
        const first = planes[0]!;
        const within = pointAt(first, down * (first.rows - 1), along * (first.columns - 1));
        const point = moved(within, normal, from_mm);
        const order = turned ? planes.toReversed() : planes;
        const found = order[nearestImage(order, point)]!;
        const away_mm = Math.abs(distance_mm(found, point));
        expect(away_mm).toBeLessThanOrEqual(gap_mm / 2 + 0.011);
        expect(planes.every((plane) => Math.abs(distance_mm(plane, point)) >= away_mm - 0.011)).toBe(true);
      }),
    );
  });

  it('is none where the point lies beside the images or more than a slice beyond the last', () => {
    fc.assert(
      fc.property(stacks, number(1.05, 50), ({ planes, normal, gap_mm }, beyond) => {
        const [first, last] = [planes[0]!, planes.at(-1)!];
        expect(nearestImage(planes, moved(centreOf(last), normal, beyond * gap_mm + 0.02))).toBe(-1);
        expect(nearestImage(planes, pointAt(first, -1 - beyond, 0))).toBe(-1);
        expect(nearestImage(planes, pointAt(first, 0, first.columns - 0.5 + beyond))).toBe(-1);
        expect(nearestImage(planes, moved(centreOf(last), normal, gap_mm * 0.9))).toBe(planes.length - 1);
      }),
    );
  });

  const upright: ImagePlane = {
    ...{ position: [0, 0, 0], row: [1, 0, 0], column: [0, 1, 0], rowSpacing: 1, columnSpacing: 1 },
    ...{ rows: 10, columns: 10, frameOfReference: '1.9', thickness_mm: 3 },
  };
  const at = (z: number): ImagePlane => ({ ...upright, position: [0, 0, z] });

  it('of several at one place is that which is nearest in the list: the phase on display stays', () => {
    const phases = [at(0), at(3), at(6), at(0), at(3), at(6)];
    expect([nearestImage(phases, [5, 5, 3.2], 0), nearestImage(phases, [5, 5, 3.2], 5)]).toEqual([1, 4]);
  });

  it('is not sought across a hole, nor in images without a place', () => {
    expect(nearestImage([at(0), at(3), at(40), at(43)], [5, 5, 20])).toBe(-1);
    expect(nearestImage([null, at(0)], [5, 5, 0])).toBe(1);
    expect(nearestImage([null], [5, 5, 0])).toBe(-1);
    expect(nearestImage([], [5, 5, 0])).toBe(-1);
  });

  it('of a single image reaches as far as that is thick', () => {
    expect([nearestImage([at(0)], [5, 5, 2.9]), nearestImage([at(0)], [5, 5, 3.1])]).toEqual([0, -1]);
  });

  it('of images in several planes is measured in its own', () => {
    const sagittal: ImagePlane = { ...upright, position: [5, 0, 50], row: [0, 1, 0], column: [0, 0, -1], rows: 100 };
    expect(nearestImage([at(0), at(3), sagittal], [5.4, 5, 30])).toBe(2);
    expect(nearestImage([at(0), at(3), sagittal], [1, 5, 30])).toBe(-1);
  });
});

describe('a vector', () => {
  it('is taken from numbers of any list, and from nothing else', () => {
    expect(vector(new Float32Array([1, 2, 3]))).toEqual([1, 2, 3]);
    expect(vector(['1', '2.5', '-3'])).toEqual([1, 2.5, -3]);
    expect([vector([1, 2]), vector(null), vector(undefined), vector([1, 2, 'x']), vector('1,2,3')]).toEqual([null, null, null, null, null]);
  });

  it('in the middle is as far from both ends', () => {
    const [a, b]: [Vector, Vector] = [[1, 2, 3], [5, -2, 9]];
    const [one, other] = [minus(between(a, b), a), minus(b, between(a, b))];
    expect(dot(one, one)).toBeCloseTo(dot(other, other), 9);
  });
});
