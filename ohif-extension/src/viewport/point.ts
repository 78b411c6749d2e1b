/**
 * A point of the patient in every plane: the viewports of its frame of reference turn to it and mark it. Of a distance
 * that is its middle, and its ends are drawn in the images in which they lie.
 *
 * The mark goes with the next click on the images, with Escape, with the next jump, and when another finding is chosen.
 */
import type { Evidence, NamedSlice } from '../api/types';
import { centreOf, nearestImage, type ImagePlane } from '../geometry/plane';
import { between, dot, minus, vector, type Vector } from '../geometry/vector';
import type { Point2, SvgDrawingHelper, Viewport } from '../ohif/types';
import { store } from '../store/store';
import { imagePlane } from './image-plane';
import type { Layer } from './layer';
import { isInView, jumpTo, onJump, turn, viewerNow, type Viewer } from './navigate';
import { hasCamera } from './services';
import type { ShownViewports } from './shown';
import { currentImageId, imageIdsOf, inAcquisitionPlane, keyOf } from './slices';
import { drawLine } from './svg';

/** A reformat is moved by whole pixels: nearer than this it shows the point. */
const NEAR_MM = 0.2;
/** The arms of the cross-hair leave the place itself open. */
const ARM_PX = { from: 9, to: 24 };

/** Radius of the ring about the end of a distance. */
const END_PX = 3;

/** Nearly white: overlays have colours of their own. */
const COLOUR = '#eef3ff';

interface Marked {
  readonly point: Vector;
  /** The viewports that show it, by id: the image in which it lies, or null for a reformat. */
  readonly images: ReadonlyMap<string, string | null>;
  /** The ends of a distance, of which the point is the middle; none of a point alone. */
  readonly ends: readonly Vector[];
  /** The finding that was selected. */
  readonly selected: string | null;
}

let marked: Marked | null = null;
let layer: Layer | null = null;

/**
 * Shows a slice, and the point in all other planes; resolves to whether the slice is shown.
 *
 * Without a point the other planes go through the middle of the slice, and nothing is marked: what is not known is not
 * pointed at.
 */
export async function showPoint(slice: NamedSlice, point_mm: Vector | null | undefined): Promise<boolean> {
  const arrived = await jumpTo(slice.sop_instance_uid, slice.frame_number ?? undefined);
  const viewer = viewerNow();
  if (arrived && viewer) lead(viewer, keyOf({ sopInstanceUid: slice.sop_instance_uid, frame: slice.frame_number }), point_mm ?? null);
  return arrived;
}

/** Shows the slice on which a distance was measured, and its middle in all other planes. */
export async function showDistance(slice: NamedSlice, ends_mm: readonly [Vector, Vector]): Promise<boolean> {
  const arrived = await showPoint(slice, between(...ends_mm));
  if (arrived && marked) marked = { ...marked, ends: ends_mm };
  layer?.redraw();
  return arrived;
}

/**
 * Shows a slice of the prior study, and where a viewport has this study, its own slice and point beside it.
 *
 * Nothing is opened for the second: what the reader looks at is not taken away.
 */
export async function showBoth(prior: NamedSlice, now: Evidence | null): Promise<boolean> {
  const arrived = await showPoint(prior, null);
  return arrived && now !== null && isInView(now) ? showPoint(now, now.peak_mm) : arrived;
}

/** Takes the mark away; whether there was one. */
export function unmark(): boolean {
  if (marked === null) return false;
  marked = null;
  layer?.redraw();
  return true;
}

export function isMarked(): boolean {
  return marked !== null;
}

/** Draws the mark and takes it away in time. Returns the function that ends it. */
export function followPoint(over: Layer): () => void {
  layer = over;
  const onDown = ({ target }: Event): void => {
    if (!(target instanceof Element && target.closest('.pa-root'))) unmark();
  };
  const ends = [
    over.paint(drawMark),
    onJump(() => void unmark()),
    store.subscribe(() => {
      if (marked?.selected !== store.get().selected) unmark();
    }),
  ];
  window.addEventListener('pointerdown', onDown, { capture: true });
  return () => {
    window.removeEventListener('pointerdown', onDown, { capture: true });
    ends.forEach((end) => end());
    marked = null;
    layer = null;
  };
}

function lead({ shown }: Viewer, slice: string, point: Vector | null): void {
  const own = shown.viewports.find((viewport) => isAt(shown, viewport, slice));
  const plane = own ? planeShown(shown, own) : null;
  if (plane === null || plane.frameOfReference === '') return;
  const target = point ?? centreOf(plane);
  const images = new Map<string, string | null>();
  for (const viewport of shown.viewports) {
    const image = isAt(shown, viewport, slice) ? currentImageId(viewport) : turnToPoint(shown, viewport, target, plane.frameOfReference);
    if (image !== undefined) images.set(viewport.id, image);
  }
  if (point === null) return;
  marked = { point, images, ends: [], selected: store.get().selected };
  layer?.redraw();
}

/** Turns a viewport to the point: the image in which it lies, null for a reformat; undefined where it does not show the point. */
function turnToPoint(shown: ShownViewports, viewport: Viewport, point: Vector, frameOfReference: string): string | null | undefined {
  if (!shown.isSettled(viewport) || viewport.type === 'volume3d') return undefined;
  const imageIds = imageIdsOf(viewport);
  const planes = imageIds.map((imageId) => inFrame(imagePlane(imageId, shown.metaData), frameOfReference));
  const now = currentImageId(viewport);
  const imageId = imageIds[nearestImage(planes, point, now === null ? 0 : imageIds.indexOf(now))];
  if (imageId === undefined) return undefined;
  if (inAcquisitionPlane(viewport)) return imageId === now || turn(viewport, imageId) ? imageId : undefined;
  viewport.setViewReference?.({ FrameOfReferenceUID: frameOfReference, cameraFocalPoint: [...point] });
  viewport.render();
  return null;
}

function inFrame(plane: ImagePlane | null, frameOfReference: string): ImagePlane | null {
  return plane?.frameOfReference === frameOfReference ? plane : null;
}

function isAt(shown: ShownViewports, viewport: Viewport, slice: string): boolean {
  const now = shown.slice(viewport);
  return now !== null && keyOf(now) === slice;
}

function planeShown(shown: ShownViewports, viewport: Viewport): ImagePlane | null {
  const imageId = currentImageId(viewport);
  return imageId === null ? null : imagePlane(imageId, shown.metaData);
}

/** An open cross where the point is, only in what it lies in. */
function drawMark(viewport: Viewport, svg: SvgDrawingHelper): boolean {
  if (marked === null || !showsPoint(viewport, marked)) return false;
  const [x, y] = viewport.worldToCanvas([...marked.point]);
  if (!Number.isFinite(x + y)) return false;
  drawLine(svg, 'point', crossHair(x, y), { stroke: COLOUR });
  const ends = marked.ends.filter((end) => liesInImage(viewport, end)).map((end) => viewport.worldToCanvas([...end]));
  if (ends.length > 0) drawLine(svg, 'ends', `M${ends.map(inPath).join('L')}${ends.map(ring).join('')}`, { stroke: COLOUR });
  return true;
}

/** Whether a point lies in the image that a stack shows: of a reformat nothing tells how thick it is. */
function liesInImage(viewport: Viewport, point: Vector): boolean {
  const shown = viewerNow()?.shown;
  if (shown === undefined || !inAcquisitionPlane(viewport)) return false;
  const imageIds = imageIdsOf(viewport);
  const now = imageIds.indexOf(currentImageId(viewport) ?? '');
  return now >= 0 && nearestImage(imageIds.map((imageId) => imagePlane(imageId, shown.metaData)), point, now) === now;
}

function showsPoint(viewport: Viewport, { point, images }: Marked): boolean {
  const imageId = images.get(viewport.id);
  if (imageId === undefined) return false;
  if (imageId !== null) return inAcquisitionPlane(viewport) && currentImageId(viewport) === imageId;
  const { focalPoint, viewPlaneNormal } = hasCamera(viewport) ? viewport.getCamera() : {};
  const [focus, normal] = [vector(focalPoint), vector(viewPlaneNormal)];
  return focus !== null && normal !== null && Math.abs(dot(minus(point, focus), normal)) < NEAR_MM;
}

function inPath([x, y]: Point2): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

function ring([x, y]: Point2): string {
  const r = END_PX;
  return `M${inPath([x - r, y])}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
}

function crossHair(x: number, y: number): string {
  const { from, to } = ARM_PX;
  const arm = (dx: number, dy: number): string =>
    `M${(x + dx * from).toFixed(1)} ${(y + dy * from).toFixed(1)}L${(x + dx * to).toFixed(1)} ${(y + dy * to).toFixed(1)}`;
  return arm(-1, 0) + arm(1, 0) + arm(0, -1) + arm(0, 1);
}
