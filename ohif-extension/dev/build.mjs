// build/dev/panel.js for dev/panel.html: the panel alone, with slices that can be "shown" without a viewport.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const withoutViewport = {
  name: 'without-viewport',
  setup: ({ onResolve }) => onResolve({ filter: /viewport\/(navigate|point|walk)$/ }, () => ({ path: join(here, 'viewport.ts') })),
};

await build({
  absWorkingDir: join(here, '..'),
  entryPoints: ['dev/panel.tsx'],
  outdir: 'build/dev',
  bundle: true,
  format: 'iife',
  jsx: 'automatic',
  loader: { '.css': 'text' },
  define: { 'process.env.NODE_ENV': '"development"', 'import.meta.url': 'location.href' },
  plugins: [withoutViewport],
  logLevel: 'warning',
});
