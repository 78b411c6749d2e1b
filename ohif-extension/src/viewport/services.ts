/** What of OHIF and Cornerstone only the viewport needs, beyond `ohif/types`. */
import type { Point3, ToolGroup, Viewport, ViewportServices } from '../ohif/types';

/** A viewport with a camera: all of them, in every version. */
export interface WithCamera {
  getCamera(): { viewPlaneNormal?: Point3; focalPoint?: Point3 };
}

export function hasCamera(viewport: Viewport): viewport is Viewport & WithCamera {
  return 'getCamera' in viewport && typeof viewport.getCamera === 'function';
}

/** OHIF's rules of which viewport takes which series. */
export interface HangingProtocolService {
  getViewportsRequireUpdate(viewportId: string, displaySetUid: string): unknown[];
}

export function isHangingProtocolService(service: unknown): service is HangingProtocolService {
  return (
    typeof service === 'object' &&
    service !== null &&
    'getViewportsRequireUpdate' in service &&
    typeof service.getViewportsRequireUpdate === 'function'
  );
}

/** Tool groups that can be asked for by viewport, and say which tool the primary mouse button has. */
interface ToolGroupsByViewport {
  getToolGroupForViewport(viewportId: string): { getActivePrimaryMouseButtonTool?(): string | undefined } | undefined;
}

/** The tool of the primary mouse button in a viewport; empty where this OHIF does not say. */
export function primaryTool(toolGroups: unknown, viewportId: string): string {
  if (!isByViewport(toolGroups)) return '';
  return toolGroups.getToolGroupForViewport(viewportId)?.getActivePrimaryMouseButtonTool?.() ?? '';
}

function isByViewport(service: unknown): service is ToolGroupsByViewport {
  return (
    typeof service === 'object' &&
    service !== null &&
    'getToolGroupForViewport' in service &&
    typeof service.getToolGroupForViewport === 'function'
  );
}

interface WithGroupOfViewport {
  getToolGroupForViewport(viewportId: string, renderingEngineId: string): ToolGroup | undefined;
}

/** The tool group a viewport belongs to; none before OHIF has put it into one. */
export function toolGroupOf({ libraries }: ViewportServices, viewport: Viewport): ToolGroup | undefined {
  const manager: object = libraries.cornerstoneTools.ToolGroupManager;
  return givesGroup(manager) ? manager.getToolGroupForViewport(viewport.id, viewport.renderingEngineId) : undefined;
}

function givesGroup(manager: object): manager is WithGroupOfViewport {
  return 'getToolGroupForViewport' in manager && typeof manager.getToolGroupForViewport === 'function';
}

/** Loads an image into the viewer's cache; resolves also where it cannot be had, which the viewer tells of itself. */
export type ImageLoader = (imageId: string) => Promise<void>;

/** The viewer's loader with the options of its own stacks, so that the same image is kept; null where there is none. */
export function imageLoaderOf({ libraries }: ViewportServices): ImageLoader | null {
  const cornerstone: object = libraries.cornerstone;
  if (!hasImageLoader(cornerstone)) return null;
  const { imageLoader } = cornerstone;
  return async (imageId) => {
    try {
      await imageLoader.loadAndCacheImage(imageId, { useRGBA: false, priority: 5, requestType: 'prefetch' });
    } catch {
      return; // the viewer says so when the reader comes to this image
    }
  };
}

interface WithImageLoader {
  imageLoader: { loadAndCacheImage(imageId: string, options: Readonly<Record<string, unknown>>): Promise<unknown> };
}

function hasImageLoader(cornerstone: object): cornerstone is WithImageLoader {
  if (!('imageLoader' in cornerstone)) return false;
  const { imageLoader } = cornerstone;
  return typeof imageLoader === 'object' && imageLoader !== null && 'loadAndCacheImage' in imageLoader;
}

interface WithLayers {
  getDisplaySetsUIDsForViewport(viewportId: string): string[] | undefined;
}

/** The display sets that lie in a viewport, one upon the other; none where this OHIF does not say. */
export function layersOf(grid: unknown, viewportId: string): readonly string[] {
  return viewportId !== '' && givesLayers(grid) ? (grid.getDisplaySetsUIDsForViewport(viewportId) ?? []) : [];
}

function givesLayers(grid: unknown): grid is WithLayers {
  return (
    typeof grid === 'object' &&
    grid !== null &&
    'getDisplaySetsUIDsForViewport' in grid &&
    typeof grid.getDisplaySetsUIDsForViewport === 'function'
  );
}

interface WithVolumes {
  getAllVolumeIds(): string[];
  getProperties(volumeId: string): { voiRange?: { lower: number; upper: number }; colormap?: { name?: string } };
  setProperties(properties: Readonly<Record<string, unknown>>, volumeId: string): void;
}

/** What OHIF gives to every layer; another choice is the reader's. */
const DEFAULT_COLOURS = 'hsv';
const LAYER_COLOURS = 'hot_iron';
const LAYER_OPACITY = 0.6;

/** The range of values for which each layer was coloured, by volume id; the viewer may set another one when its values have come. */
const colouredFor = new WeakMap<Viewport, Map<string, string>>();

/** Shows the lowest values of a layer not at all and the highest ones in colour. False where there is nothing to do. */
export function colourLayer(viewport: Viewport, displaySetUid: string): boolean {
  const volumeId = hasVolumes(viewport) ? viewport.getAllVolumeIds().find((id) => id.includes(displaySetUid)) : undefined;
  if (!hasVolumes(viewport) || volumeId === undefined) return false;
  const { voiRange, colormap } = viewport.getProperties(volumeId);
  if (!voiRange) return false;
  const range = `${voiRange.lower} ${voiRange.upper}`;
  const ranges = colouredFor.get(viewport) ?? new Map<string, string>();
  const before = ranges.get(volumeId);
  const outdated = colormap?.name === LAYER_COLOURS && before !== undefined && before !== range;
  if (colormap?.name !== DEFAULT_COLOURS && !outdated) return false;
  colouredFor.set(viewport, ranges.set(volumeId, range));
  const opacity = [
    { value: voiRange.lower, opacity: 0 },
    { value: voiRange.upper, opacity: LAYER_OPACITY },
  ];
  viewport.setProperties({ colormap: { name: LAYER_COLOURS, opacity } }, volumeId);
  return true;
}

function hasVolumes(viewport: object): viewport is Viewport & WithVolumes {
  return 'getAllVolumeIds' in viewport && 'getProperties' in viewport && 'setProperties' in viewport;
}
