import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeAgent, FakeEventSource } from './api/fakes';
import extension from './extension';
import mode from './mode';
import { EXTENSION_ID, MODE_NAME, MODE_TITLE, PANEL_ID, PANEL_NAME, SR_HANDLER_ID, SR_HANDLER_NAME } from './id';
import { studyUids } from './ohif/study-uids';
import type { OhifContext } from './ohif/types';
import packageJson from '../package.json';
import { store } from './store/store';
import { start } from './viewport';

vi.mock('./viewport', () => ({ start: vi.fn() }));

const libraries = { cornerstone: {}, cornerstoneTools: {} };

function context(getModuleEntry: () => unknown = () => ({ exports: { getCornerstoneLibraries: () => libraries } })): OhifContext {
  return {
    servicesManager: { services: {} },
    commandsManager: { runCommand: vi.fn() },
    extensionManager: { getModuleEntry },
  };
}

let errors: unknown[][];
let stop: () => void;

beforeEach(() => {
  FakeEventSource.all.length = 0;
  errors = [];
  stop = vi.fn();
  vi.mocked(start).mockReset().mockReturnValue(stop);
  vi.spyOn(console, 'error').mockImplementation((...said: unknown[]) => void errors.push(said));
  vi.stubGlobal('EventSource', FakeEventSource);
  vi.stubGlobal('fetch', new FakeAgent().fetch);
  history.replaceState(null, '', '/pacs-agent?StudyInstanceUIDs=1.2.3,1.2.4');
});

afterEach(() => extension.onModeExit());

describe('names', () => {
  it('are those by which OHIF finds the modules', () => {
    expect(extension.id).toBe(packageJson.name);
    expect(PANEL_ID).toBe(`${EXTENSION_ID}.panelModule.${extension.getPanelModule()[0]!.name}`);
    expect(PANEL_NAME).not.toBe('');
    expect(SR_HANDLER_ID).toBe(`${EXTENSION_ID}.sopClassHandlerModule.${extension.getSopClassHandlerModule()[0]!.name}`);
    expect(SR_HANDLER_NAME).not.toBe('');
  });
});

describe('the studies of the page', () => {
  it.each([
    ['?StudyInstanceUIDs=1.2.3', ['1.2.3']],
    ['?studyinstanceuids=1.2.3,1.2.4', ['1.2.3', '1.2.4']],
    ['?StudyInstanceUIDs=1.2.3&StudyInstanceUIDs=1.2.4', ['1.2.3', '1.2.4']],
    ['?url=x', []],
  ])('of %s are %j', (search, uids) => expect(studyUids(search)).toEqual(uids));
});

describe('the extension', () => {
  it('opens the first study of the page, and shows evidence on its images', () => {
    extension.onModeEnter(context());
    expect(store.get().study).toBe('1.2.3');
    expect(start).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ libraries }));
  });

  it('ends everything with the mode', () => {
    extension.onModeEnter(context());
    extension.onModeExit();
    expect(stop).toHaveBeenCalledTimes(1);
    expect(store.get().study).toBe('');
    expect(FakeEventSource.open).toEqual([]);
  });

  it('ends what the study before began, also when its mode was not left', () => {
    extension.onModeEnter(context());
    extension.onModeEnter(context());
    expect(stop).toHaveBeenCalledTimes(1);
    expect(FakeEventSource.open).toHaveLength(1);
  });

  it('opens the study where the viewer has no Cornerstone for us, and says it once', () => {
    const without = context(() => undefined);
    extension.onModeEnter(without);
    extension.onModeEnter(without);
    expect(store.get().study).toBe('1.2.3');
    expect(errors.filter(([said]) => String(said).includes('evidence on the images'))).toHaveLength(1);
  });

  it('never lets a failing part reach the viewer', () => {
    stop = () => {
      throw new Error('the viewport is gone');
    };
    vi.mocked(start).mockReturnValue(stop);
    extension.onModeEnter(context());
    expect(() => extension.onModeExit()).not.toThrow();
    expect(FakeEventSource.open).toEqual([]);
  });
});

describe('the panel', () => {
  it('is one element that React of the viewer renders', () => {
    const [panel] = extension.getPanelModule();
    const element = panel!.component();
    expect(element.type).toBe('div');
    expect(panel!.component().type).toBe('div');
  });
});

describe('the mode', () => {
  const base = {
    id: '@ohif/mode-longitudinal',
    routeName: 'viewer',
    sopClassHandlers: ['sr'],
    hangingProtocol: 'default',
    routes: [
      {
        path: 'longitudinal',
        layout: { id: 'layout', props: { rightPanels: ['theirs'], rightPanelClosed: true, leftPanels: ['left'] } },
        layoutTemplate() {
          return this.layout;
        },
      },
    ],
  };
  const loadModules = vi.fn(() => Promise.resolve([{ modeFactory: () => base }]));

  beforeEach(() => void loadModules.mockClear());

  it('is the longitudinal one where the extension is missing', async () => {
    const made = await mode.modeFactory({ loadModules });
    expect(made).toMatchObject({ id: MODE_NAME, routeName: MODE_NAME, displayName: MODE_TITLE, sopClassHandlers: ['sr'] });
    expect(await made!.routes[0]!.layoutTemplate({})).toEqual(base.routes[0]!.layout);
  });

  it('has our panel open on the right, and our handler first', async () => {
    extension.preRegistration(context());
    const made = await mode.modeFactory({ loadModules });
    expect(made).toMatchObject({ routeName: 'pacs-agent', hangingProtocol: 'default' });
    expect(made!.sopClassHandlers).toEqual([SR_HANDLER_ID, 'sr']);
    const layout = await made!.routes[0]!.layoutTemplate({});
    expect(layout).toMatchObject({ id: 'layout', props: { leftPanels: ['left'], rightPanelClosed: false } });
    expect(layout.props?.rightPanels).toEqual([PANEL_ID, 'theirs']);
    expect(base.routes[0]!.layout.props.rightPanels).toEqual(['theirs']);
  });

  it('is left out where the viewer has no longitudinal mode', async () => {
    expect(await mode.modeFactory({ loadModules: () => Promise.resolve([]) })).toBeNull();
  });
});
