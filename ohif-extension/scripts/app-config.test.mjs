/** The configuration that the agent serves to the viewer, run as a browser runs it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { afterEach, expect, test, vi } from 'vitest';

const SCRIPT = path.join(import.meta.dirname, '../../pacs_agent/console/viewer/app_config.js');
const SOURCES = [
  { name: 'pacs', title: 'PACS', root: '/pacs/dicom-web' },
  { name: 'archive', title: 'Archive', root: '/dicom-web' },
];
const GOOD = { extension: script("export default { id: 'ours' }"), mode: script("export default { id: 'our mode' }") };

function script(text) {
  return `data:text/javascript,${encodeURIComponent(text)}`;
}

/** `window.config` after the script ran. */
function configured(plugin, address = '/x') {
  const location = { origin: 'http://agent:8080', pathname: address, search: '?a=1', assign: vi.fn() };
  const page = { window: {}, location, history: { replaceState: vi.fn() }, navigator: { language: 'de-CH' } };
  const context = vm.createContext({ ...page, console });
  const settings = { sources: SOURCES, plugin, routes: { ours: 'pacs-agent', viewer: 'viewer' } };
  const text = `${readFileSync(SCRIPT, 'utf8')}\nconfigureViewer(${JSON.stringify(settings)});`;
  const options = { importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER };
  new vm.Script(text, options).runInContext(context);
  return { config: page.window.config, location, history: page.history };
}

afterEach(() => vi.restoreAllMocks());

test('a plugin that loads is given to the viewer', async () => {
  const { extensions, modes } = await configured(GOOD).config();
  expect(extensions[0].id).toBe('ours');
  expect(modes[0].id).toBe('our mode');
});

test.each([
  ['is not built', null],
  ['throws', { ...GOOD, extension: script("throw new Error('broken')") }],
  ['cannot be parsed', { ...GOOD, mode: script('export default {') }],
  ['exports nothing', { ...GOOD, mode: script('export const id = 1') }],
  ['is not there', { ...GOOD, extension: 'file:///nowhere/extension.js' }],
])('a plugin that %s is left out, and the viewer opens', async (_, plugin) => {
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const { extensions, modes, dataSources } = await configured(plugin).config();
  expect([extensions, modes]).toEqual([[], []]);
  expect(dataSources).toHaveLength(2);
  expect(warned).toHaveBeenCalledOnce();
});

test.each([
  ['/pacs-agent', '/viewer?a=1'],
  ['/pacs-agent/archive', '/viewer/archive?a=1'],
  ['/pacs-agents', null],
  ['/', null],
])('without the plugin the address %s leads to %s', async (address, target) => {
  vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const { config, history } = configured(null, address);
  const { customizationService } = await config();
  expect(history.replaceState.mock.calls.map(([, , to]) => to)).toEqual(target ? [target] : []);
  expect(customizationService['viewportOverlay.topRight'].$push[0].contentF()).toContain('Kein KI-Befund');
});

test('images come from the first source, at this address', async () => {
  const { defaultDataSourceName, dataSources } = await configured(GOOD).config();
  expect(defaultDataSourceName).toBe('pacs');
  expect(dataSources[0].configuration.wadoRoot).toBe('http://agent:8080/pacs/dicom-web');
});

test('parts of the viewer that read window.config itself find the sources there too', () => {
  expect(configured(GOOD).config.dataSources).toHaveLength(2);
});

test('a session that ended leads to the login and back; other errors do not', async () => {
  const { config, location } = configured(GOOD);
  const { httpErrorHandler } = await config();
  for (const error of [undefined, {}, { status: 500 }]) httpErrorHandler(error);
  expect(location.assign).not.toHaveBeenCalled();
  httpErrorHandler({ status: 401 });
  expect(location.assign).toHaveBeenCalledWith('/login?next=%2Fx%3Fa%3D1');
});
