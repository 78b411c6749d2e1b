/** The extension: a panel, a handler that keeps our SRs out of the way, and what runs while a study is open. */
import { agentBase } from './api/base';
import { EXTENSION_ID } from './id';
import { cornerstoneLibraries } from './ohif/cornerstone';
import { guarded, sayOnce } from './ohif/guarded';
import { panelModule, type PanelEntry } from './ohif/panel-module';
import { pictureSource } from './ohif/picture-source';
import { markPresent } from './ohif/presence';
import { studyUids } from './ohif/study-uids';
import type { OhifContext } from './ohif/types';
import { mountPanel } from './panel/Panel';
import { setPictureSource } from './panel/rendered';
import { sopClassHandlerModule, type SopClassHandler } from './sr/handler';
import { srReader } from './sr/reader';
import { closeStudy, connect, openStudy } from './store/actions';
import { start } from './viewport';

type Registration = OhifContext & { appConfig?: unknown };

let stopViewport: (() => void) | null = null;

function preRegistration(context: Registration): void {
  guarded(
    'find the agent',
    () => {
      const configurations = [context.appConfig, Reflect.get(globalThis, 'config')];
      const base = agentBase(configurations, import.meta.url, location.href);
      connect(base, srReader(context));
    },
    undefined,
  );
  markPresent();
}

/** OHIF calls this again for each study that is opened. */
function onModeEnter(context: OhifContext): void {
  guarded('open the study', () => leave(), undefined);
  setPictureSource(() => pictureSource(context.extensionManager));
  guarded('open the study', () => enterStudy(), undefined);
  guarded('show evidence on the images', () => enterViewport(context), undefined);
}

function onModeExit(): void {
  guarded('close the study', () => leave(), undefined);
}

function enterStudy(): void {
  const [study] = studyUids(location.search);
  if (study === undefined) sayOnce('find the study', new Error('the address of the page names no StudyInstanceUIDs'));
  else openStudy(study);
}

function enterViewport({ servicesManager, commandsManager, extensionManager }: OhifContext): void {
  const libraries = cornerstoneLibraries(extensionManager);
  if (!libraries) throw new Error('this viewer does not hand out its Cornerstone libraries');
  stopViewport = start({ servicesManager, commandsManager, extensionManager, libraries });
}

function leave(): void {
  const stop = stopViewport;
  stopViewport = null;
  if (stop) guarded('take evidence off the images', stop, undefined);
  closeStudy();
}

const extension = {
  id: EXTENSION_ID,
  preRegistration,
  onModeEnter,
  onModeExit,
  getPanelModule: (): PanelEntry[] => panelModule(mountPanel),
  getSopClassHandlerModule: (): SopClassHandler[] => sopClassHandlerModule(),
};

export default extension;
