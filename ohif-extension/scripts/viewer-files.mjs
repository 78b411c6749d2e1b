/** What is done to the files of the viewer: pruning, compressing, and hashing the inline scripts of its page. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';

/**
 * Left out: in-browser models (156 MB with the microscopy viewer, neither used by the CT modes), the page of an OIDC
 * renewal, and the service worker, which loads code from other hosts.
 */
const LEFT_OUT = ['ort', 'dicom-microscopy-viewer', 'silent-refresh.html', 'sw.js', '_headers', '_redirects'];

/** Replaces the viewer's own script: a worker that an earlier viewer left in a browser is removed, none is started. */
const NO_SERVICE_WORKER = `navigator.serviceWorker?.getRegistrations().then((registrations) => {
  for (const registration of registrations) registration.unregister();
});
`;

const COMPRESSIBLE = new Set(['.css', '.html', '.js', '.json', '.map', '.mjs', '.svg', '.ttf', '.txt', '.wasm']);
const SMALLEST_COMPRESSED_BYTES = 1024;
const compress = promisify(gzip);

/** Removes what the agent never serves from an unpacked viewer. */
export async function prune(folder) {
  for (const name of LEFT_OUT) await rm(path.join(folder, name), { recursive: true, force: true });
  for (const file of await filesUnder(folder)) if (file.endsWith('.map')) await rm(file);
  await writeFile(path.join(folder, 'init-service-worker.js'), NO_SERVICE_WORKER);
}

/** Puts a `.gz` beside each file that gains by it. Returns the sizes in bytes before and after, of all files. */
export async function compressAll(folder) {
  const sizes = { plain: 0, compressed: 0 };
  for (const file of await filesUnder(folder)) {
    const bytes = await readFile(file);
    sizes.plain += bytes.length;
    sizes.compressed += (await compressOne(file, bytes)) ?? bytes.length;
  }
  return sizes;
}

async function compressOne(file, bytes) {
  if (bytes.length < SMALLEST_COMPRESSED_BYTES || !COMPRESSIBLE.has(path.extname(file))) return null;
  const smaller = await compress(bytes, { level: constants.Z_BEST_COMPRESSION });
  await writeFile(`${file}.gz`, smaller);
  return smaller.length;
}

/**
 * Sources for `script-src` of the page's inline scripts: `'sha256-…'` each, over the text as the browser sees it.
 *
 * Content Security Policy Level 3, 6.7.3.3. They change with every version of the viewer.
 */
export function inlineScriptHashes(html) {
  const scripts = html.matchAll(/<script(?<attributes>[^>]*)>(?<text>[\s\S]*?)<\/script>/gi);
  const inline = [...scripts].filter(({ groups }) => !/\ssrc\s*=/i.test(groups.attributes) && groups.text);
  const hashes = inline.map(({ groups }) => createHash('sha256').update(groups.text).digest('base64'));
  return hashes.map((hash) => `'sha256-${hash}'`);
}

async function filesUnder(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}
