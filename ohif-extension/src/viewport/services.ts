/** What of OHIF and Cornerstone only the viewport needs, beyond `ohif/types`. */
import type { Point3, ToolGroup, Viewport, ViewportServices } from '../ohif/types';

/** A viewport with a camera: all of them, in every version. */
export interface WithCamera {
  getCamera(): { viewPlaneNormal?: Point3 };
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
