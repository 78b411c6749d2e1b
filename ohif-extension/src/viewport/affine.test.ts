import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import heat from '../api/fixtures/heat.json';
import type { Point2, Point3 } from '../ohif/types';
import { applied, inSvg, patchSize_mm, patientPoint, pictureMatrix, type HeatGrid } from './affine';
import { SCALE } from './heat-picture';

const mm = (most: number) => fc.double({ min: -most, max: most, noNaN: true });
const angle = fc.double({ min: 0, max: 2 * Math.PI, noNaN: true });

/** An axial slice seen through any zoom, turn, shift and mirror, as the reader's tools make them. */
const cameras = fc
  .record({ zoom: fc.double({ min: 0.2, max: 20, noNaN: true }), turn: angle, mirrored: fc.boolean(), x: mm(2000), y: mm(2000) })
  .map(({ zoom, turn, mirrored, x, y }) => (point: Point3): Point2 => {
    const [right, down] = [mirrored ? -point[0] : point[0], point[1]];
    return [
      zoom * (right * Math.cos(turn) - down * Math.sin(turn)) + x,
      zoom * (right * Math.sin(turn) + down * Math.cos(turn)) + y,
    ];
  });

/** A grid upon an axial slice, turned in its plane. */
const grids = fc
  .record({
    origin: fc.tuple(mm(300), mm(300), mm(1000)),
    patch_mm: fc.double({ min: 2, max: 40, noNaN: true }),
    turn: angle,
    rows: fc.integer({ min: 1, max: 40 }),
    columns: fc.integer({ min: 1, max: 40 }),
  })
  .map(({ origin, patch_mm, turn, rows, columns }): HeatGrid => {
    const [along, across] = [patch_mm * Math.cos(turn), patch_mm * Math.sin(turn)];
    return { origin_mm: origin, column_step_mm: [along, across, 0], row_step_mm: [-across, along, 0], rows, columns };
  });

describe('pictureMatrix', () => {
  it('puts the centre of every patch where the patient has it, whatever the camera', () => {
    fc.assert(
      fc.property(grids, cameras, fc.nat(), fc.nat(), (grid, camera, anyRow, anyColumn) => {
        const [row, column] = [anyRow % grid.rows, anyColumn % grid.columns];
        const matrix = pictureMatrix(grid, SCALE, camera);
        const drawn = applied(matrix!, [(column + 0.5) * SCALE, (row + 0.5) * SCALE]);
        const wanted = camera(patientPoint(grid, row, column));
        expect(Math.hypot(drawn[0] - wanted[0], drawn[1] - wanted[1])).toBeLessThan(1e-6);
      }),
    );
  });

  it('is none where the slice is seen from its edge, or before anything is shown', () => {
    const grid: HeatGrid = { origin_mm: [0, 0, 0], column_step_mm: [1, 0, 0], row_step_mm: [0, 1, 0], rows: 2, columns: 2 };
    expect(pictureMatrix(grid, SCALE, ([x]) => [x, 0])).toBeNull();
    expect(pictureMatrix(grid, SCALE, () => [NaN, NaN])).toBeNull();
  });

  it("has the agent's strongest patch where the agent says", () => {
    const { origin_mm, row_step_mm, column_step_mm, values, peak_mm } = heat;
    const peaks = values.flatMap((line, row) => line.map((value, column) => ({ value, row, column })));
    const { row, column } = peaks.reduce((best, each) => (each.value > best.value ? each : best));
    const grid = { origin_mm, row_step_mm, column_step_mm, rows: values.length, columns: values[0]!.length } as unknown as HeatGrid;
    patientPoint(grid, row, column).forEach((place, axis) => expect(place).toBeCloseTo(peak_mm[axis]!, 3));
  });
});

it('writes a matrix as SVG wants it', () => {
  expect(inSvg({ a: 1, b: 0, c: 0, d: -2, e: 3.25, f: 4 })).toBe('matrix(1.00000 0.00000 0.00000 -2.00000 3.25000 4.00000)');
});

it('knows how large a patch is in the patient', () => {
  expect(patchSize_mm({ row_step_mm: [0, 3, 4], column_step_mm: [18, 0, 0] })).toEqual([5, 18]);
});
