/** The mode: the viewer's own longitudinal mode with our panel open beside the images. */
import { MODE_NAME, MODE_TITLE, PANEL_ID, SR_HANDLER_ID } from './id';
import { sayOnce } from './ohif/guarded';
import { isPresent } from './ohif/presence';

const BASE = '@ohif/mode-longitudinal';

interface Layout {
  props?: Readonly<Record<string, unknown>> & { rightPanels?: unknown[] };
}

interface Route {
  path?: string;
  layoutTemplate(parameters: unknown): Layout | Promise<Layout>;
}

/** What of a mode we change; the rest is taken over as it is. */
interface Mode {
  routes: Route[];
  sopClassHandlers?: string[];
}

interface ModeModule {
  modeFactory(parameters: FactoryParameters): Mode | Promise<Mode>;
}

interface FactoryParameters {
  modeConfiguration?: unknown;
  loadModules(modules: string[]): Promise<ModeModule[]>;
}

async function modeFactory(parameters: FactoryParameters): Promise<Mode | null> {
  try {
    return ours(await baseMode(parameters));
  } catch (error) {
    sayOnce('offer its mode', error);
    return null;
  }
}

async function baseMode(parameters: FactoryParameters): Promise<Mode> {
  const [base] = await parameters.loadModules([BASE]);
  if (!base) throw new Error(`this viewer has no ${BASE}`);
  return base.modeFactory(parameters);
}

function ours(base: Mode): Mode {
  const named = { ...base, id: MODE_NAME, routeName: MODE_NAME, displayName: MODE_TITLE, hide: false };
  if (!isPresent()) return named;
  return {
    ...named,
    routes: base.routes.map(withPanel),
    sopClassHandlers: [SR_HANDLER_ID, ...(base.sopClassHandlers ?? [])],
  };
}

/** The width of the panel at first; the reader may draw it wider. OHIF's own 280 px are narrow for words and bars. */
const PANEL_WIDTH_PX = 340;

/** Our panel first on the right, and open. */
function withPanel(route: Route): Route {
  return {
    ...route,
    path: MODE_NAME,
    layoutTemplate: async (parameters: unknown) => {
      const layout = await route.layoutTemplate(parameters);
      const rightPanels = [PANEL_ID, ...(layout.props?.rightPanels ?? [])];
      const open = { rightPanelClosed: false, rightPanelInitialExpandedWidth: PANEL_WIDTH_PX };
      return { ...layout, props: { ...layout.props, ...open, rightPanels } };
    },
  };
}

const mode = { id: MODE_NAME, modeFactory, extensionDependencies: {} };

export default mode;
