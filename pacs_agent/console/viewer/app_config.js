/**
 * The viewer's configuration, as the agent serves it. `settings` is put in by the agent:
 *   sources  [{name, title, root}], the first one is shown
 *   plugin   {extension, mode}, addresses of the modules; null when they are not built
 *   routes   {ours, viewer}, where our mode and the viewer's own one show a study
 *
 * The plugin is tried before the viewer hears of it: one that fails is left out, the viewer opens without it and says so
 * beside the images, and addresses of our mode lead to the viewer's own.
 */
function configureViewer(settings) {
  const SESSION_ENDED = 401;
  const ABSENT = {
    en: 'No AI reading: its panel could not be loaded',
    de: 'Kein KI-Befund: sein Panel konnte nicht geladen werden',
  };
  const NOTICE = {
    id: 'pacs-agent-absent',
    inheritsFrom: 'ohif.overlayItem',
    label: '',
    title: 'The plugin of the PACS agent could not be loaded',
    condition: () => true,
    contentF: () => (navigator.language.startsWith('de') ? ABSENT.de : ABSENT.en),
  };

  const base = {
    routerBasename: '/',
    extensions: [],
    modes: [],
    customizationService: { 'ohif.tours': { $set: [] } },
    showStudyList: true,
    showWarningMessageForCrossOrigin: false,
    showCPUFallbackMessage: true,
    showLoadingIndicator: true,
    strictZSpacingForVolumeViewport: true,
    groupEnabledModesFirst: true,
    investigationalUseDialog: { option: 'configure', days: 30 },
    maxNumberOfWebWorkers: 3,
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
    defaultDataSourceName: settings.sources[0].name,
    dataSources: settings.sources.map(dataSource),
    httpErrorHandler,
  };

  window.config = Object.assign(async () => ({ ...base, ...(await plugin()) }), base);

  function dataSource({ name, title, root }) {
    const address = location.origin + root;
    return {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: name,
      configuration: {
        friendlyName: title,
        name,
        qidoRoot: address,
        wadoRoot: address,
        wadoUriRoot: address,
        qidoSupportsIncludeField: true,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        singlepart: 'bulkdata,video',
        bulkDataURI: { enabled: true },
        omitQuotationForMultipartRequest: true,
      },
    };
  }

  /** The plugin's modules, or what stands in for them when one is missing or cannot be loaded. */
  async function plugin() {
    try {
      if (!settings.plugin) throw new Error('it has not been built: run `make viewer` where the agent runs');
      const [extension, mode] = await Promise.all([load(settings.plugin.extension), load(settings.plugin.mode)]);
      return { extensions: [extension], modes: [mode] };
    } catch (error) {
      console.warn('The plugin of the PACS agent is not shown:', error);
      leadToViewersMode();
      return { customizationService: { ...base.customizationService, 'viewportOverlay.topRight': { $push: [NOTICE] } } };
    }
  }

  /** Addresses of our mode are kept in bookmarks and in the PACS. This runs before the viewer looks at the address. */
  function leadToViewersMode() {
    const [, first, ...rest] = location.pathname.split('/');
    if (first !== settings.routes.ours) return;
    history.replaceState(null, '', `/${[settings.routes.viewer, ...rest].join('/')}${location.search}`);
  }

  async function load(address) {
    const { default: module } = await import(address);
    if (!module?.id) throw new Error(`${address} exports no module of a viewer`);
    return module;
  }

  /** A session that has ended is begun again by the login, which leads back to what was shown. */
  function httpErrorHandler(error) {
    const status = error?.status ?? error?.error?.status;
    if (status !== SESSION_ENDED) return;
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
}
