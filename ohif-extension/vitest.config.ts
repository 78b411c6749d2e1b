import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const TESTS = /\.test\.(ts|tsx|mjs)$/;

/** Test files below a folder, from the project's root. */
function testsBelow(folder: string): string[] {
  const below = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return below.filter((path) => TESTS.test(path)).map((path) => join(folder, path));
}

/** Files that replace a module need modules of their own; all others share theirs, which takes a third of the time. */
const alone = testsBelow('src').filter((path) => readFileSync(path, 'utf8').includes('vi.mock('));

const common = { environment: 'jsdom', restoreMocks: true, unstubGlobals: true };

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'alone', include: alone } },
      {
        test: {
          ...common,
          name: 'together',
          include: ['src/**/*.test.{ts,tsx}', 'scripts/**/*.test.mjs'],
          exclude: alone,
          isolate: false,
        },
      },
    ],
  },
});
