/** The slices an AI result rests on, with their places as the viewer knows them. */
import type { Plane as AnatomicalPlane, Slice } from '../api/types';
import { pixelOf as pixelIn, type Plane } from '../geometry/plane';
import { cross, dot, vector, type Vector } from '../geometry/vector';
import { numbers, text, type Dataset } from './dataset';

/**
 * One slice for each instance, or for each frame of a multi-frame one, in the order of the SR's image library.
 *
 * `headers` are what the viewer knows of the instances; without one, a slice lies as many mm up as it has slices below,
 * and its size is 0.
 */
export function slicesOf(sopInstanceUids: readonly string[], headers: readonly Dataset[]): Slice[] {
  const known = new Map(headers.map((header) => [text(header, 'SOPInstanceUID'), header]));
  const frames = sopInstanceUids.flatMap((uid) => framesOf(uid, known.get(uid) ?? {}));
  const upwards = ascending(sopInstanceUids, known);
  return frames.map(({ uid, frame, header }, index) => ({
    sop_instance_uid: uid,
    frame_number: frame,
    z_mm: frame === null ? upwards(header, index) : index,
    instance_number: numbers(header, 'InstanceNumber')[0] ?? null,
    rows: numbers(header, 'Rows')[0] ?? 0,
    columns: numbers(header, 'Columns')[0] ?? 0,
  }));
}

/** Row and column of a point in a slice; null where the slice has no place. */
export function pixelOf(point: Vector, header: Dataset | undefined): [number, number] | null {
  const plane = header && planeOf(header);
  return plane ? pixelIn(plane, point) : null;
}

/** Planes by the axis of their normal: x to the left, y to the back, z to the head. */
const PLANES: readonly AnatomicalPlane[] = ['sagittal', 'coronal', 'axial'];
/** The normal of a slice that is not oblique has a component of at least this: as the agent has it. */
const OBLIQUE_BELOW = 0.8;

/** The plane of a slice by its normal; null where its header gives none. */
export function anatomicalPlane(header: Dataset): AnatomicalPlane | null {
  const plane = planeOf(header);
  if (plane === null) return null;
  const along = cross(plane.row, plane.column).map(Math.abs);
  const most = Math.max(...along);
  return most < OBLIQUE_BELOW ? 'oblique' : (PLANES[along.indexOf(most)] ?? 'oblique');
}

function framesOf(uid: string, header: Dataset): { uid: string; frame: number | null; header: Dataset }[] {
  const count = numbers(header, 'NumberOfFrames')[0] ?? 1;
  if (count <= 1) return [{ uid, frame: null, header }];
  return Array.from({ length: count }, (_, index) => ({ uid, frame: index + 1, header }));
}

/** The height of a slice along the normal, growing in the order of the library. */
function ascending(uids: readonly string[], known: ReadonlyMap<string, Dataset>): (h: Dataset, index: number) => number {
  const heights = uids.map((uid) => heightOf(known.get(uid) ?? {}));
  const [lowest, highest] = [heights[0] ?? null, heights.at(-1) ?? null];
  const sign = lowest !== null && highest !== null && lowest > highest ? -1 : 1;
  const complete = heights.every((height) => height !== null);
  return (header, index) => (complete ? sign * (heightOf(header) ?? index) : index);
}

function heightOf(header: Dataset): number | null {
  const plane = planeOf(header);
  return plane && dot(plane.position, cross(plane.row, plane.column));
}

function planeOf(header: Dataset): Plane | null {
  const position = vector(numbers(header, 'ImagePositionPatient'));
  const orientation = numbers(header, 'ImageOrientationPatient');
  const row = vector(orientation.slice(0, 3));
  const column = vector(orientation.slice(3, 6));
  const [rowSpacing, columnSpacing] = numbers(header, 'PixelSpacing');
  if (!position || !row || !column || !rowSpacing || !columnSpacing) return null;
  return { position, row, column, rowSpacing, columnSpacing };
}
