#!/usr/bin/env node
/**
 * Fetches the pinned OHIF viewer: its published package, checked against the hash in viewer.json, pruned, and ready to
 * be served. The viewer is not changed in any other way.
 *
 *   npm run fetch-viewer                                     the default version into ohif-extension/viewer/
 *   npm run fetch-viewer -- --version 3.12.10 --out DIR      another pinned version into another folder
 *   npm run fetch-viewer -- --force                          again, also when it is there
 *
 * What is fetched stays in .cache/viewer/ of the repository, or in the folder of --cache. A folder that is already
 * right is left as it is.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { compressAll, inlineScriptHashes, prune } from './viewer-files.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const EXTENSION_FOLDER = path.dirname(HERE);
const DEFAULT_CACHE = path.join(path.dirname(EXTENSION_FOLDER), '.cache', 'viewer');
const NOTE = 'viewer-build.json';
const run = promisify(execFile);

/** An error whose message says what to do; shown without a stack trace. */
class FetchFailed extends Error {}

try {
  await main();
} catch (error) {
  if (!(error instanceof FetchFailed)) throw error;
  console.error(`viewer: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const { values } = parseArgs({
    options: {
      version: { type: 'string' },
      out: { type: 'string', default: path.join(EXTENSION_FOLDER, 'viewer') },
      cache: { type: 'string', default: DEFAULT_CACHE },
      force: { type: 'boolean', default: false },
    },
  });
  const pins = JSON.parse(await readFile(path.join(EXTENSION_FOLDER, 'viewer.json'), 'utf8'));
  const version = values.version ?? pins.default;
  const integrity = pins.versions[version];
  if (!integrity) {
    const known = Object.keys(pins.versions).join(', ');
    throw new FetchFailed(`version ${version} is not pinned in viewer.json; pinned are ${known}`);
  }
  const out = path.resolve(values.out);
  const stamp = await stampOf(integrity);
  if (!values.force && (await stampIn(out)) === stamp) {
    console.log(`viewer: OHIF ${version} is already in ${out}`);
    return;
  }
  const archive = await fetchPackage(pins.package, version, integrity, path.resolve(values.cache));
  await makeViewer(archive, out, { version, integrity, stamp });
}

/** What a folder was made from: the package, and the scripts that prune it. */
async function stampOf(integrity) {
  const hash = createHash('sha256').update(integrity);
  for (const script of ['fetch-viewer.mjs', 'viewer-files.mjs']) hash.update(await readFile(path.join(HERE, script)));
  return hash.digest('hex');
}

/** The stamp that an earlier run left in a folder, or null. */
async function stampIn(folder) {
  try {
    return JSON.parse(await readFile(path.join(folder, NOTE), 'utf8')).stamp;
  } catch {
    return null;
  }
}

/** The package's archive in the cache, checked; taken from the registry when it is not there. */
async function fetchPackage(name, version, integrity, cache) {
  const archive = path.join(cache, `ohif-app-${version}.tgz`);
  if ((await integrityOf(archive)) === integrity) return archive;
  console.log(`viewer: fetching ${name}@${version} (about 50 MB) ...`);
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(path.join(cache, 'fetch-'));
  try {
    const packed = await pack(`${name}@${version}`, folder, cache);
    const got = await integrityOf(packed);
    if (got !== integrity) {
      throw new FetchFailed(
        `${name}@${version} from the registry is not the package that viewer.json pins.\n` +
          `  pinned   ${integrity}\n  received ${got}\n` +
          'Nothing was unpacked. Ask who runs the registry (npm config get registry) before changing the pin.'
      );
    }
    await rename(packed, archive);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return archive;
}

/** Takes a package from the registry into a folder, without running anything of it; the archive's path. */
async function pack(spec, folder, cache) {
  try {
    const { stdout } = await run('npm', ['pack', spec, '--ignore-scripts', '--json', '--pack-destination', folder], {
      maxBuffer: 64 << 20,
    });
    return path.join(folder, JSON.parse(stdout)[0].filename);
  } catch (error) {
    const errors = String(error.stderr || error.message).split('\n').filter((line) => line.startsWith('npm error'));
    throw new FetchFailed(
      `npm could not fetch ${spec}:\n  ${errors.slice(0, 4).join('\n  ') || error.message}\n` +
        `Without a network: run \`npm pack ${spec}\` on a machine that has one, put the file it makes into\n` +
        `  ${cache}\nand run this again. A mirror is set by: npm config set registry URL`
    );
  }
}

/** Subresource-integrity text (sha512) of a file, or null when there is none. */
async function integrityOf(file) {
  let bytes;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
}

/** Unpacks, prunes and compresses beside the target folder, then puts it in its place at once. */
async function makeViewer(archive, out, { version, integrity, stamp }) {
  console.log(`viewer: unpacking OHIF ${version} ...`);
  await mkdir(path.dirname(out), { recursive: true });
  const made = await mkdtemp(`${out}.new-`);
  try {
    await unpack(archive, made);
    await prune(made);
    const page = await readFile(path.join(made, 'index.html'), 'utf8');
    const bytes = await compressAll(made);
    const note = { version, integrity, stamp, script_hashes: inlineScriptHashes(page) };
    await writeFile(path.join(made, NOTE), `${JSON.stringify(note, null, 2)}\n`);
    await rm(out, { recursive: true, force: true });
    await rename(made, out);
    const mb = (size) => (size / 1e6).toFixed(0);
    console.log(`viewer: OHIF ${version} is in ${out}: ${mb(bytes.plain)} MB, ${mb(bytes.compressed)} MB compressed`);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/**
 * Unpacks only the viewer's files (`package/dist/`), dated now: npm dates all files of all versions alike, and a
 * browser would take a page of an earlier version for this one's.
 */
async function unpack(archive, folder) {
  try {
    await run('tar', ['-xmzf', archive, '-C', folder, '--strip-components=2', '--no-same-owner', 'package/dist']);
  } catch (error) {
    throw new FetchFailed(`tar could not unpack ${archive}: ${String(error.stderr ?? error.message).trim()}`);
  }
}
