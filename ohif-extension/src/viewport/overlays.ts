/** Segmentations and parametric maps of the study over the images, by the viewer's own means. */
import type { DisplaySet, Subscription, Viewport, ViewportServices } from '../ohif/types';
import { t } from '../i18n';
import { answerForNdarray } from '../ohif/ndarray';
import { forbidsCompiling } from '../ohif/policy';
import { fitsImages, isInVolumeOrder } from './frame-order';
import { displaySets, run } from './open-series';
import type { ShownViewports } from './shown';
import { colourLayer, layersOf } from './services';
import { imageIdsOf, record } from './slices';

/** By SOP class, PS3.4 B.5: Segmentation, Label Map Segmentation, Parametric Map. */
const KINDS: Readonly<Record<string, Overlay['kind']>> = {
  '1.2.840.10008.5.1.4.1.1.66.4': 'segmentation',
  '1.2.840.10008.5.1.4.1.1.66.7': 'segmentation',
  '1.2.840.10008.5.1.4.1.1.30': 'map',
};
const MODALITIES: Readonly<Record<string, Overlay['kind']>> = { SEG: 'segmentation' };
const CHANGES = ['DISPLAY_SETS_ADDED', 'DISPLAY_SETS_REMOVED', 'DISPLAY_SETS_CHANGED'];

export interface Overlay {
  /** DisplaySetInstanceUID, OHIF's own. */
  readonly id: string;
  readonly kind: 'segmentation' | 'map';
  readonly label: string;
  /** Series Instance UID. */
  readonly series: string;
  /** It lies over the active viewport. */
  readonly shown: boolean;
}

interface Viewer {
  readonly services: ViewportServices;
  readonly shown: ShownViewports;
}

let viewer: Viewer | null = null;
let list: readonly Overlay[] = [];
const listeners = new Set<() => void>();

/** What can be laid over the images of the open study; the same array until something changes. */
export function overlays(): readonly Overlay[] {
  return list;
}

/** Calls `listener` with every change of `overlays()`. Returns the function that ends it. */
export function onOverlays(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Lays an overlay over the active viewport, or takes it off again. False where it cannot be shown there. */
export function toggleOverlay(id: string): boolean {
  const overlay = list.find((each) => each.id === id);
  const viewport = viewer?.shown.active;
  if (!viewer || !overlay || !viewport) return false;
  const { commandsManager, servicesManager } = viewer.services;
  const set = servicesManager.services.displaySetService?.getDisplaySetByUID(id);
  const obstacle = overlay.kind === 'map' && !overlay.shown ? obstacleToMap(viewer, viewport, set) : null;
  if (obstacle !== null) return refused(viewer, obstacle);
  try {
    const command = overlay.shown ? 'removeDisplaySetLayer' : 'addDisplaySetAsLayer';
    run(commandsManager, command, { viewportId: viewport.id, displaySetInstanceUID: id });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return refused(viewer, t('viewport.overlayFailed'));
  }
  refresh();
  return true;
}

/** Why OHIF would show a map wrongly, in words; null where it would not. */
function obstacleToMap({ shown }: Viewer, viewport: Viewport, set: DisplaySet | undefined): string | null {
  if (!isInVolumeOrder(set?.instance)) return t('viewport.mapUpsideDown');
  const images = imageIdsOf(viewport).map((imageId) => record(shown.metaData('instance', imageId)));
  return fitsImages(set?.instance, images) ? null : t('viewport.mapUnlikeImages');
}

function refused({ services }: Viewer, message: string): false {
  const { uiNotificationService } = services.servicesManager.services;
  uiNotificationService?.show({ title: t('viewport.overlayTitle'), message, type: 'warning' });
  return false;
}

/** Keeps the list up with the study and with what is laid over what. Returns the function that ends it. */
export function followOverlays(services: ViewportServices, shown: ShownViewports): () => void {
  viewer = { services, shown };
  const { displaySetService, viewportGridService } = services.servicesManager.services;
  const subscriptions: Subscription[] = [];
  const watch = (service: typeof displaySetService | typeof viewportGridService, names: readonly string[]): void => {
    const events = names.map((name) => service?.EVENTS[name]).filter((event) => event !== undefined);
    for (const event of events) if (service) subscriptions.push(service.subscribe(event, refresh));
  };
  watch(displaySetService, CHANGES);
  watch(viewportGridService, ['GRID_STATE_CHANGED', 'ACTIVE_VIEWPORT_ID_CHANGED']);
  const unfollow = onDrawn(services, shown, colourMaps);
  refresh();
  return () => {
    subscriptions.forEach((subscription) => subscription.unsubscribe());
    unfollow();
    viewer = null;
    refresh();
  };
}

/** Calls `listener` with every viewport that has been drawn: when a layer has come, the viewer says nothing else. */
function onDrawn({ libraries }: ViewportServices, shown: ShownViewports, listener: (viewport: Viewport) => void): () => void {
  const drawn = libraries.cornerstone.Enums.Events['IMAGE_RENDERED'] ?? '';
  const tell = ({ target }: Event): void => {
    const viewport = shown.viewports.find(({ element }) => element === target);
    if (viewport) listener(viewport);
  };
  document.addEventListener(drawn, tell, { capture: true });
  return () => document.removeEventListener(drawn, tell, { capture: true });
}

function refresh(): void {
  const next = viewer ? overlaysOf(viewer) : [];
  if (JSON.stringify(next) === JSON.stringify(list)) return;
  list = next;
  if (list.length > 0) void prepare();
  for (const listener of [...listeners]) listener();
}

let prepared: Promise<void> | null = null;

/** Once for the page, as soon as there is something to lay over the images: OHIF could not unpack it under our policy. */
function prepare(): Promise<void> {
  return (prepared ??= forbidsCompiling().then((forbidden) => {
    if (forbidden) answerForNdarray();
  }));
}

function overlaysOf({ services, shown }: Viewer): Overlay[] {
  const { displaySetService, viewportGridService } = services.servicesManager.services;
  if (!displaySetService) return [];
  const layers = layersOf(viewportGridService, shown.active?.id ?? '');
  return displaySets(displaySetService).flatMap((set) => {
    const kind = kindOf(set);
    const id = set.displaySetInstanceUID;
    const series = set.SeriesInstanceUID;
    return kind === null ? [] : [{ id, kind, label: labelOf(set), series, shown: layers.includes(id) }];
  });
}

function kindOf(set: DisplaySet): Overlay['kind'] | null {
  return KINDS[set.SOPClassUID ?? ''] ?? MODALITIES[set.Modality ?? ''] ?? null;
}

function labelOf(set: DisplaySet): string {
  const { SeriesDescription, label } = set as DisplaySet & { SeriesDescription?: unknown; label?: unknown };
  return [label, SeriesDescription, set.Modality].find((text) => typeof text === 'string' && text !== '') as string;
}

/** A parametric map comes in opaque colours; it is given its own once the viewer has given it those. */
function colourMaps(viewport: Viewport): void {
  for (const { id } of list.filter((each) => each.kind === 'map' && each.shown)) {
    if (colourLayer(viewport, id)) viewport.render();
  }
}
