/** What of OHIF and Cornerstone only the viewport needs, beyond `ohif/types`. */
import type { Point3, Viewport } from '../ohif/types';

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
