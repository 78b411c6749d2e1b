/** Where a picture of heat lies on the canvas. Pure geometry. */
import type { Heat } from '../api/types';
import type { Point2, Point3 } from '../ohif/types';

/** As SVG writes it: (u, v) goes to (a·u + c·v + e, b·u + d·v + f). SVG 2, 8.5. */
export interface Matrix {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

export type HeatGrid = Pick<Heat, 'origin_mm' | 'row_step_mm' | 'column_step_mm'> & {
  readonly rows: number;
  readonly columns: number;
};

/** The place of a point of the grid, in patches; (0, 0) is the centre of the first one. */
export function patientPoint(grid: HeatGrid, row: number, column: number): Point3 {
  const at = (axis: 0 | 1 | 2) => grid.origin_mm[axis] + row * grid.row_step_mm[axis] + column * grid.column_step_mm[axis];
  return [at(0), at(1), at(2)];
}

/**
 * The matrix that puts a picture with `scale` pixels for each patch onto the canvas.
 *
 * The centre of patch (r, c) is at u = (c + ½)·scale, v = (r + ½)·scale of the picture. The plane of a slice goes onto
 * the canvas by zoom, shift, turn and mirror, which is affine, so that three points are enough; they are taken as far
 * apart as the grid allows. Null where the slice is seen from its edge, or nothing is shown yet.
 */
export function pictureMatrix(grid: HeatGrid, scale: number, worldToCanvas: (point: Point3) => Point2): Matrix | null {
  const rows = Math.max(1, grid.rows - 1);
  const columns = Math.max(1, grid.columns - 1);
  const origin = worldToCanvas(patientPoint(grid, 0, 0));
  const along = stepOf(origin, worldToCanvas(patientPoint(grid, 0, columns)), columns * scale);
  const down = stepOf(origin, worldToCanvas(patientPoint(grid, rows, 0)), rows * scale);
  const half = scale / 2;
  const matrix = {
    a: along[0],
    b: along[1],
    c: down[0],
    d: down[1],
    e: origin[0] - half * (along[0] + down[0]),
    f: origin[1] - half * (along[1] + down[1]),
  };
  return isUsable(matrix) ? matrix : null;
}

export function applied(matrix: Matrix, [u, v]: Point2): Point2 {
  return [matrix.a * u + matrix.c * v + matrix.e, matrix.b * u + matrix.d * v + matrix.f];
}

/** For the `transform` attribute of SVG. */
export function inSvg({ a, b, c, d, e, f }: Matrix): string {
  return `matrix(${[a, b, c, d, e, f].map((value) => value.toFixed(5)).join(' ')})`;
}

/** Side lengths of a patch in mm, down the rows and along the columns. */
export function patchSize_mm(heat: Pick<Heat, 'row_step_mm' | 'column_step_mm'>): [number, number] {
  return [Math.hypot(...heat.row_step_mm), Math.hypot(...heat.column_step_mm)];
}

function stepOf(from: Point2, to: Point2, count: number): Point2 {
  return [(to[0] - from[0]) / count, (to[1] - from[1]) / count];
}

function isUsable(matrix: Matrix): boolean {
  const area = matrix.a * matrix.d - matrix.b * matrix.c;
  return Object.values(matrix).every(Number.isFinite) && Math.abs(area) > 1e-9;
}
