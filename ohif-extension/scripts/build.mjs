// The two modules the viewer loads: dist/extension.js and dist/mode.js, with their source maps beside them.
// `--watch` builds again on every change.
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { build, context } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const outdir = join(root, 'dist');
const BUDGET_BYTES = { 'extension.js': 400_000, 'mode.js': 20_000 };

const options = {
  absWorkingDir: root,
  entryPoints: { extension: 'src/extension.ts', mode: 'src/mode.ts' },
  outdir,
  bundle: true,
  format: 'esm',
  target: ['es2022', 'chrome110', 'firefox115', 'safari16.4'],
  minify: true,
  sourcemap: true,
  jsx: 'automatic',
  loader: { '.css': 'text' },
  define: { 'process.env.NODE_ENV': '"production"' },
  legalComments: 'linked',
  logLevel: 'warning',
};

/** Prints the size of each module; returns whether all keep to their budget. */
function weigh() {
  let kept = true;
  for (const [name, budget] of Object.entries(BUDGET_BYTES)) {
    const path = join(outdir, name);
    const bytes = statSync(path).size;
    const packed = gzipSync(readFileSync(path)).length;
    const verdict = bytes <= budget ? '' : `  MORE THAN THE BUDGET OF ${budget / 1000} kB`;
    console.log(`${name}  ${(bytes / 1000).toFixed(1)} kB, ${(packed / 1000).toFixed(1)} kB gzip${verdict}`);
    kept &&= bytes <= budget;
  }
  return kept;
}

if (process.argv.includes('--watch')) {
  const watching = await context({
    ...options,
    plugins: [{ name: 'weigh', setup: (build) => build.onEnd((done) => void (done.errors.length || weigh())) }],
  });
  await watching.watch();
} else {
  await build(options);
  if (!weigh()) process.exitCode = 1;
}
