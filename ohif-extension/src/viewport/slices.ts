/** Slices as the viewer knows them (by image id) and as the agent does (by SOPInstanceUID and frame). */
import type { Slice } from '../api/types';
import type { Point3, Viewport } from '../ohif/types';
import type { CurrentSlice } from '../store/store';

/** Cornerstone's metadata: what a module says of an image. */
export type MetaData = (module: string, imageId: string) => unknown;

/** The slices of a viewport in the order of the wheel, from the first to the last. */
export interface ScrolledSlices {
  readonly imageIds: readonly string[];
  /** The same slices; null where an image has no SOPInstanceUID. */
  readonly slices: readonly (CurrentSlice | null)[];
  /** Where a slice is among them, by `keyOf`. */
  readonly places: ReadonlyMap<string, number>;
}

/** One text for one slice. A frame is named only where the instance has several. */
export function keyOf(slice: CurrentSlice): string {
  return slice.frame === null ? slice.sopInstanceUid : `${slice.sopInstanceUid}#${slice.frame}`;
}

/** Which slice an image is; null where the viewer knows no SOPInstanceUID of it. */
export function sliceOf(imageId: string, metaData: MetaData): CurrentSlice | null {
  const instance = record(metaData('instance', imageId));
  const uid = instance?.['SOPInstanceUID'];
  if (typeof uid !== 'string') return null;
  return { sopInstanceUid: uid, frame: Number(instance?.['NumberOfFrames'] ?? 1) > 1 ? frameOf(imageId) : null };
}

/** The frame that an image id names, counted from 1: `…/frames/3` (WADO-RS) or `…&frame=3`. */
export function frameOf(imageId: string): number {
  const named = /\/frames\/(\d+)/.exec(imageId) ?? /[?&]frame(?:Number)?=(\d+)/.exec(imageId);
  return named === null ? 1 : Number(named[1]);
}

/**
 * The slices of a viewport as its wheel walks through them.
 *
 * A stack is walked in its own order. A volume is walked along the direction of view, whatever the order of its images.
 */
export function scrolledSlices(imageIds: readonly string[], direction: Point3 | null, metaData: MetaData): ScrolledSlices {
  const ordered = direction === null ? [...imageIds] : alongDirection(imageIds, direction, metaData);
  const slices = ordered.map((imageId) => sliceOf(imageId, metaData));
  const places = new Map<string, number>();
  slices.forEach((slice, place) => slice !== null && places.set(keyOf(slice), place));
  return { imageIds: ordered, slices, places };
}

function alongDirection(imageIds: readonly string[], direction: Point3, metaData: MetaData): string[] {
  const placed = imageIds.map((imageId) => ({ imageId, depth_mm: depth_mm(imageId, direction, metaData) }));
  if (placed.some((each) => each.depth_mm === null)) return [...imageIds];
  return placed.sort((a, b) => (a.depth_mm ?? 0) - (b.depth_mm ?? 0)).map((each) => each.imageId);
}

/** How far along a direction an image lies. PS3.3 C.7.6.2.1.1. */
function depth_mm(imageId: string, direction: Point3, metaData: MetaData): number | null {
  const position = record(metaData('imagePlaneModule', imageId))?.['imagePositionPatient'];
  if (!Array.isArray(position) && !ArrayBuffer.isView(position)) return null;
  const [x, y, z] = Array.from(position as ArrayLike<unknown>, Number);
  return x === undefined || y === undefined || z === undefined ? null : x * direction[0] + y * direction[1] + z * direction[2];
}

/** The image ids of a viewport; none before it shows anything. */
export function imageIdsOf(viewport: Viewport): readonly string[] {
  try {
    return viewport.getImageIds?.() ?? [];
  } catch {
    return []; // a volume viewport throws until its volume is set
  }
}

/** The slice a viewport shows; null where it shows none or cuts across slices. */
export function shownSlice(viewport: Viewport, metaData: MetaData): CurrentSlice | null {
  if (!inAcquisitionPlane(viewport)) return null;
  const imageId = currentImageId(viewport);
  return imageId === null ? null : sliceOf(imageId, metaData);
}

/** Whether a viewport shows the slices as they were acquired; stacks always do. */
export function inAcquisitionPlane(viewport: Viewport): boolean {
  try {
    return viewport.isInAcquisitionPlane?.() ?? true;
  } catch {
    return false; // a volume viewport throws until its volume is set
  }
}

export function currentImageId(viewport: Viewport): string | null {
  try {
    return viewport.getCurrentImageId?.() ?? null;
  } catch {
    return null; // a volume viewport throws until its volume is set
  }
}

/** Where each slice that was read is among the slices of a viewport; -1 where it is not there. */
export function placesOf(read: readonly Slice[], scrolled: ScrolledSlices): number[] {
  return read.map(
    (slice) =>
      scrolled.places.get(keyOf({ sopInstanceUid: slice.sop_instance_uid, frame: slice.frame_number })) ??
      scrolled.places.get(slice.sop_instance_uid) ??
      -1,
  );
}

/** The index of a slice among those that were read; -1 where it is none of them. */
export function indexIn(read: readonly Slice[], slice: CurrentSlice | null): number {
  if (slice === null) return -1;
  return read.findIndex(
    (each) =>
      each.sop_instance_uid === slice.sopInstanceUid &&
      (each.frame_number === null || slice.frame === null || each.frame_number === slice.frame),
  );
}

/** The value as fields by name; null where it has none. */
export function record(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
}
