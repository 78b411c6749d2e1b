/** Where an image lies in the patient, and which of several images a point lies in. PS3.3 C.7.6.2.1.1. No state, no viewer. */
import { cross, dot, minus, moved, type Vector } from './vector';

/** Place, directions and spacing of an image, in mm. */
export interface Plane {
  /** Centre of the first pixel. */
  readonly position: Vector;
  /** Along a row: towards higher columns. */
  readonly row: Vector;
  /** Along a column: towards higher rows. */
  readonly column: Vector;
  readonly rowSpacing: number;
  readonly columnSpacing: number;
}

/** A plane with its borders, in one frame of reference. */
export interface ImagePlane extends Plane {
  readonly rows: number;
  readonly columns: number;
  /** Frame of Reference UID; empty where the image names none. */
  readonly frameOfReference: string;
  /** Slice Thickness; 0 where it is not known. */
  readonly thickness_mm: number;
}

/** Planes nearer to each other than this are one: writers round. */
const SAME_MM = 0.01;
/** Cosine of the largest angle between slices of one stack, 2.6 degrees. */
const PARALLEL = 0.999;

/** How far a point lies in front of the plane, along row × column. */
export function distance_mm(plane: Plane, point: Vector): number {
  return dot(minus(point, plane.position), cross(plane.row, plane.column));
}

/** Row and column of the foot of a point's perpendicular; whole numbers are centres of pixels. */
export function pixelOf(plane: Plane, point: Vector): [row: number, column: number] {
  const from = minus(point, plane.position);
  return [dot(from, plane.column) / plane.rowSpacing, dot(from, plane.row) / plane.columnSpacing];
}

/** The point of a pixel; the inverse of `pixelOf` within the plane. */
export function pointAt(plane: Plane, row: number, column: number): Vector {
  return moved(moved(plane.position, plane.column, row * plane.rowSpacing), plane.row, column * plane.columnSpacing);
}

/** The middle of the image. */
export function centreOf(plane: ImagePlane): Vector {
  return pointAt(plane, (plane.rows - 1) / 2, (plane.columns - 1) / 2);
}

/** Whether the foot of a point's perpendicular lies within the borders of the image. */
export function isOver(plane: ImagePlane, point: Vector): boolean {
  const [row, column] = pixelOf(plane, point);
  return row >= -0.5 && row <= plane.rows - 0.5 && column >= -0.5 && column <= plane.columns - 0.5;
}

/**
 * The image a point lies in: the nearest one, of several at the same place that which is nearest to `from` in the list.
 *
 * -1 where the point lies beside the images, or further away from the nearest one than that is from its neighbour.
 */
export function nearestImage(planes: readonly (ImagePlane | null)[], point: Vector, from = 0): number {
  const over = planes.flatMap((plane, index) =>
    plane !== null && isOver(plane, point) ? [{ plane, index, away_mm: Math.abs(distance_mm(plane, point)) }] : [],
  );
  const least_mm = Math.min(...over.map(({ away_mm }) => away_mm));
  const same = over.filter(({ away_mm }) => away_mm <= least_mm + SAME_MM);
  const [first] = same.sort((a, b) => Math.abs(a.index - from) - Math.abs(b.index - from));
  return first !== undefined && first.away_mm <= reach_mm(first.plane, planes) + SAME_MM ? first.index : -1;
}

/** How far an image speaks for what is beside it: to the next one, or as far as it is thick. */
function reach_mm(plane: ImagePlane, planes: readonly (ImagePlane | null)[]): number {
  const parallel = planes.filter((each): each is ImagePlane => each !== null && isParallel(each, plane));
  const gaps = parallel.map((each) => Math.abs(distance_mm(plane, each.position)));
  const next_mm = Math.min(...gaps.filter((gap) => gap > SAME_MM));
  return Math.max(Number.isFinite(next_mm) ? next_mm : 0, plane.thickness_mm);
}

function isParallel(a: Plane, b: Plane): boolean {
  return Math.abs(dot(cross(a.row, a.column), cross(b.row, b.column))) >= PARALLEL;
}
