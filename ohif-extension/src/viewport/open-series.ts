/** Puts the series of a slice into the active viewport. */
import type { CommandsManager, DisplaySet, DisplaySetService, ViewportServices } from '../ohif/types';
import type { CurrentSlice } from '../store/store';
import { isHangingProtocolService } from './services';

/** Asks OHIF to show the series that holds the slice; false where no series of the open studies does. */
export function openSeries(services: ViewportServices, slice: CurrentSlice): boolean {
  const { displaySetService, viewportGridService } = services.servicesManager.services;
  const viewportId = viewportGridService?.getActiveViewportId();
  const displaySet = displaySetService && displaySetWith(displaySetService, slice.sopInstanceUid);
  if (!displaySet || !viewportId) return false;
  const viewportsToUpdate = viewportUpdates(services, viewportId, displaySet.displaySetInstanceUID);
  run(services.commandsManager, 'setDisplaySetsForViewports', { viewportsToUpdate });
  return true;
}

/** Whether a series of the open studies has the slice. */
export function hasSlice(services: ViewportServices, sopInstanceUid: string): boolean {
  const { displaySetService } = services.servicesManager.services;
  return displaySetService !== undefined && displaySetWith(displaySetService, sopInstanceUid) !== undefined;
}

/** All display sets of the open studies. */
export function displaySets(service: DisplaySetService): DisplaySet[] {
  return service.getActiveDisplaySets?.() ?? service.activeDisplaySets ?? [];
}

/** `run` came with OHIF 3.9; `runCommand` takes the same. */
export function run(commands: CommandsManager, command: string, options: Readonly<Record<string, unknown>>): unknown {
  return commands.run ? commands.run(command, options) : commands.runCommand(command, options);
}

function displaySetWith(service: DisplaySetService, sopInstanceUid: string): DisplaySet | undefined {
  return displaySets(service).find((set) => set.instances?.some((instance) => instance['SOPInstanceUID'] === sopInstanceUid));
}

/** A hanging protocol such as MPR changes several viewports together; without one, only this one changes. */
function viewportUpdates(services: ViewportServices, viewportId: string, displaySetUid: string): unknown[] {
  const alone = [{ viewportId, displaySetInstanceUIDs: [displaySetUid] }];
  const all: Readonly<Record<string, unknown>> = { ...services.servicesManager.services };
  const protocols = all['hangingProtocolService'];
  if (!isHangingProtocolService(protocols)) return alone;
  const updates = protocols.getViewportsRequireUpdate(viewportId, displaySetUid);
  return updates.length > 0 ? updates : alone;
}
