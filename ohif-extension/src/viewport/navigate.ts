/** Where the reader is, and jumps to slices by SOPInstanceUID. */
import type { NamedSlice } from '../api/types';
import type { Subscription, Viewport, ViewportServices } from '../ohif/types';
import { slicesRead } from '../store/series';
import { store, type CurrentSlice } from '../store/store';
import { hasSlice, openSeries } from './open-series';
import type { ShownViewports } from './shown';
import { indexIn, keyOf } from './slices';

/** How long a slice may take to appear before a jump counts as failed: a long series comes over a slow line. */
const PATIENCE_MS = 20_000;
/** How long each jump took, in the page's own record of such times, which the benchmarks read. */
const JUMP = 'pa:jump';

/** What a jump needs of the viewer. */
export interface Viewer {
  readonly services: ViewportServices;
  readonly shown: ShownViewports;
}

export type SliceListener = (slice: CurrentSlice | null) => void;

let viewer: Viewer | null = null;
let latestJump = 0;
const listeners = new Set<SliceListener>();
const jumpListeners = new Set<() => void>();

/** The viewer; null while no mode of ours is entered. */
export function viewerNow(): Viewer | null {
  return viewer;
}

/** Keeps `store.current` at the slice in the active viewport. Returns the function that ends it. */
export function followSlices(services: ViewportServices, shown: ShownViewports): () => void {
  viewer = { services, shown };
  const tell = (): void => tellSlice(currentSlice(shown));
  const unfollow = [shown.subscribe(tell), store.subscribe(tell), activeViewportChanges(services, tell)];
  tell();
  return () => {
    unfollow.forEach((end) => end());
    viewer = null;
    latestJump += 1;
    performance.clearMeasures(JUMP);
    store.set({ current: null });
  };
}

/** Calls `listener` with every slice the reader comes to. Returns the function that ends it. */
export function onSlice(listener: SliceListener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Calls `listener` when a jump begins. Returns the function that ends it. */
export function onJump(listener: () => void): () => void {
  jumpListeners.add(listener);
  return () => void jumpListeners.delete(listener);
}

/**
 * Shows a slice, in every viewport that has it in its acquisition plane.
 *
 * Where none has it, its series is opened in the active viewport first. Resolves to whether the slice is shown; a jump
 * that was overtaken by a later one resolves to false.
 */
export async function jumpTo(sopInstanceUid: string, frame?: number): Promise<boolean> {
  if (viewer === null) return false;
  const [here, number] = [viewer, ++latestJump];
  for (const listener of [...jumpListeners]) listener();
  const slice = { sopInstanceUid, frame: frame ?? null };
  const start_ms = performance.now();
  const wasThere = isShown(here, slice);
  if (wasThere) turnTo(here, slice);
  const arrived = wasThere || (await arrival(here, slice, number));
  if (arrived) performance.measure(JUMP, { start: start_ms });
  return arrived;
}

/** Whether a viewport shows the series of the slice, in its own plane. */
export function isInView({ sop_instance_uid, frame_number }: NamedSlice): boolean {
  const slice = { sopInstanceUid: sop_instance_uid, frame: frame_number };
  const shown = viewer?.shown;
  return shown?.viewports.some((viewport) => imageIdIn(shown, viewport, slice) !== undefined) ?? false;
}

/** Whether the slice is of a series of the open studies. */
export function isOpen(sopInstanceUid: string): boolean {
  return viewer !== null && hasSlice(viewer.services, sopInstanceUid);
}

/** The slice of the active viewport; where that one cuts across slices, of another that shows what the agent has read. */
function currentSlice(shown: ShownViewports): CurrentSlice | null {
  const result = store.get().answer?.result;
  const { active } = shown;
  const slice = active && shown.slice(active);
  if (slice || !result) return slice;
  const others = shown.viewports.map((viewport) => shown.slice(viewport));
  return others.find((each) => indexIn(slicesRead(result), each) >= 0) ?? null;
}

function tellSlice(slice: CurrentSlice | null): void {
  const { current } = store.get();
  if ((current && keyOf(current)) === (slice && keyOf(slice))) return;
  store.set({ current: slice });
  for (const listener of [...listeners]) listener(slice);
}

/** Turns every viewport that can show the slice to it; those that were turned. */
function turnTo({ shown }: Viewer, slice: CurrentSlice): Viewport[] {
  return shown.viewports.filter((viewport) => {
    const imageId = imageIdIn(shown, viewport, slice);
    return imageId !== undefined && shown.isSettled(viewport) && turn(viewport, imageId);
  });
}

function imageIdIn(shown: ShownViewports, viewport: Viewport, slice: CurrentSlice): string | undefined {
  const scrolled = shown.scrolled(viewport);
  return scrolled?.imageIds[scrolled.places.get(keyOf(slice)) ?? -1];
}

/** Turns a viewport to one of its images; false where it cannot show that. */
export function turn(viewport: Viewport, referencedImageId: string): boolean {
  const FrameOfReferenceUID = viewport.getFrameOfReferenceUID?.();
  const reference = { referencedImageId, ...(FrameOfReferenceUID === undefined ? {} : { FrameOfReferenceUID }) };
  if (!viewport.isReferenceViewable?.({ ...reference }, { withNavigation: true })) return false;
  viewport.setViewReference?.(reference);
  viewport.render();
  return true;
}

/** The series of the slice is in a viewport that waits for its first image, or is put into the active viewport. */
function isComing({ shown, services }: Viewer, slice: CurrentSlice): boolean {
  const waits = shown.viewports.some((viewport) => imageIdIn(shown, viewport, slice) !== undefined);
  return waits || openSeries(services, slice);
}

function isShown({ shown }: Viewer, slice: CurrentSlice): boolean {
  return shown.viewports.some((viewport) => isAt(shown, viewport, slice));
}

function isAt(shown: ShownViewports, viewport: Viewport, slice: CurrentSlice): boolean {
  const now = shown.slice(viewport);
  return now !== null && keyOf(now) === keyOf(slice);
}

/**
 * Turns to a slice and waits until a viewport has drawn it.
 *
 * A stack names its new slice before that is loaded: what counts is the event after. False when the slice is nowhere,
 * another jump came in between, or it took too long.
 */
function arrival(here: Viewer, slice: CurrentSlice, number: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (result: boolean): void => {
      unsubscribe();
      clearTimeout(timer);
      resolve(result);
    };
    const timer = setTimeout(() => end(false), PATIENCE_MS);
    let turned = false;
    const turnOnce = (): boolean => (turned ||= turnTo(here, slice).length > 0);
    const unsubscribe = here.shown.subscribe((event, viewport) => {
      if (viewer !== here || number !== latestJump) end(false);
      else if (event === 'slice' && isAt(here.shown, viewport, slice)) end(true);
      else turnOnce();
    });
    if (!turnOnce() && !isComing(here, slice)) end(false);
  });
}

function activeViewportChanges(services: ViewportServices, listener: () => void): () => void {
  const grid = services.servicesManager.services.viewportGridService;
  const event = grid?.EVENTS['ACTIVE_VIEWPORT_ID_CHANGED'];
  if (!grid || event === undefined) return () => undefined;
  const subscription: Subscription = grid.subscribe(event, listener);
  return () => subscription.unsubscribe();
}
