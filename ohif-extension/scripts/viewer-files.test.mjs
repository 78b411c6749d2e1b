/** The viewer's files: what is left out, what is compressed, and what fetch-viewer says when it cannot fetch. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { compressAll, inlineScriptHashes, prune } from './viewer-files.mjs';

const FETCH = path.join(import.meta.dirname, 'fetch-viewer.mjs');
const NOWHERE = { NPM_CONFIG_REGISTRY: 'http://127.0.0.1:9', NPM_CONFIG_FETCH_RETRIES: '0' };

function folderWith(files) {
  const folder = mkdtempSync(path.join(tmpdir(), 'viewer-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return folder;
}

/** What fetch-viewer.mjs wrote to stderr when it failed. */
function failureOf(...options) {
  const environment = { ...process.env, ...NOWHERE, npm_config_cache: folderWith({}) };
  try {
    execFileSync('node', [FETCH, ...options], { env: environment, stdio: 'pipe' });
  } catch (error) {
    return String(error.stderr);
  }
  throw new Error('it did not fail');
}

test('an inline script is hashed as browsers hash it, one with a source is not', () => {
  const page = `<script src="a.js"></script><script>alert('Hello, world.');</script><script defer src='b.js'></script>`;
  // the example of Content Security Policy Level 3, 7.2.2
  expect(inlineScriptHashes(page)).toEqual(["'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"]);
});

test('models, source maps and the service worker are left out', async () => {
  const folder = folderWith({
    'ort/model.wasm': '',
    'dicom-microscopy-viewer/a.js': '',
    'app.js.map': '',
    'app.js': 'app',
    'sw.js': 'importScripts("https://elsewhere.example/")',
    'init-service-worker.js': 'importScripts("https://elsewhere.example/")',
  });
  await prune(folder);
  expect(readdirSync(folder).sort()).toEqual(['app.js', 'init-service-worker.js']);
  const worker = readFileSync(path.join(folder, 'init-service-worker.js'), 'utf8');
  expect(worker).toContain('unregister');
  expect(worker).not.toContain('http');
});

test('what gains by it has a compressed twin', async () => {
  const script = 'let a = 1;\n'.repeat(1000);
  const folder = folderWith({ 'app.js': script, 'small.js': 'a', 'image.png': script });
  const { plain, compressed } = await compressAll(folder);
  expect(readdirSync(folder).sort()).toEqual(['app.js', 'app.js.gz', 'image.png', 'small.js']);
  expect(gunzipSync(readFileSync(path.join(folder, 'app.js.gz'))).toString()).toBe(script);
  expect(compressed).toBeLessThan(plain);
});

describe('fetching', () => {
  test('refuses a version that is not pinned, and names those that are', () => {
    expect(failureOf('--version', '1.0.0')).toMatch(/1\.0\.0 is not pinned .* 3\.13\.2/);
  });

  test('does not unpack another package than the pinned one, and says what to do without a network', () => {
    const cache = folderWith({ 'ohif-app-3.13.2.tgz': 'something else' });
    const out = path.join(folderWith({}), 'viewer');
    const said = failureOf('--version', '3.13.2', '--cache', cache, '--out', out);
    expect(said).toContain('npm could not fetch @ohif/app@3.13.2');
    expect(said).toContain(`put the file it makes into\n  ${cache}`);
    expect(existsSync(out)).toBe(false);
  });
});
