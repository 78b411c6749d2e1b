/** Access to the viewer's own Cornerstone. */
import type { CornerstoneLibraries, ExtensionManager } from './types';

const UTILITIES = '@ohif/extension-cornerstone.utilityModule.common';

interface UtilityEntry {
  exports: { getCornerstoneLibraries(): CornerstoneLibraries };
}

/** The Cornerstone singletons of the viewer, or null where this viewer does not hand them out. */
export function cornerstoneLibraries(extensions: ExtensionManager): CornerstoneLibraries | null {
  const entry = extensions.getModuleEntry(UTILITIES);
  return isUtilityEntry(entry) ? entry.exports.getCornerstoneLibraries() : null;
}

function isUtilityEntry(entry: unknown): entry is UtilityEntry {
  if (typeof entry !== 'object' || entry === null || !('exports' in entry)) return false;
  const { exports } = entry;
  return (
    typeof exports === 'object' &&
    exports !== null &&
    'getCornerstoneLibraries' in exports &&
    typeof exports.getCornerstoneLibraries === 'function'
  );
}
