/** Every page of the console: looked at by axe-core in dark and light, and pictured. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Console } from '../browser/console.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FAULTS = ['serious', 'critical'];
/** Name of the picture, path of the page; `opens` follows the first row of the list. */
const PAGES = [
  ['overview', '/console'],
  ['studies', '/console/studies'],
  ['study', '/console/studies', 'opens'],
  ['queue', '/console/queue'],
  ['jobs', '/console/jobs'],
  ['job', '/console/jobs', 'opens'],
  ['dead-letters', '/console/dead-letters'],
  ['bring-in', '/console/bring-in'],
  ['peers', '/console/peers'],
  ['sender', '/console/peers', 'opens'],
  ['add-sender', '/console/peers/add/sender'],
  ['add-destination', '/console/peers/add/stow'],
  ['rules', '/console/rules'],
  ['models', '/console/models'],
  ['model', '/console/models', 'opens'],
  ['quality', '/console/quality'],
  ['audit', '/console/audit'],
  ['audit-line', '/console/audit', 'opens'],
  ['people', '/console/people'],
  ['person', '/console/people', 'opens'],
  ['settings', '/console/settings'],
  ['logs', '/console/logs'],
];

export default async function pages({ given, user }) {
  const viewer = await user({ width: 1280, height: 800 });
  const { page } = viewer;
  const console = new Console(page, given.address);
  const faults = await look(console, 'login', '/login', null, given);
  await viewer.logIn(given.account);
  for (const [name, where, opens] of PAGES) faults.push(...(await look(console, name, where, opens, given)));
  return { faults, pages: PAGES.length };
}

async function look(console, name, where, opens, { pictures_to: folder }) {
  const { page } = console;
  const faults = [];
  await page.emulateMedia({ colorScheme: 'light' });
  await console.open(where);
  if (opens) {
    const link = page.locator('main [data-row] a').first();
    if ((await link.count()) === 0) return [{ page: name, rule: 'no row to open', where }];
    await link.click();
    await page.waitForLoadState('load');
  }
  await page.waitForTimeout(400);
  faults.push(...(await axe(page, `${name}, light`)));
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForTimeout(200);
  faults.push(...(await axe(page, `${name}, dark`)));
  if (folder) await page.screenshot({ path: path.join(folder, `console-${name}.png`) });
  return faults;
}

async function axe(page, name) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter((one) => FAULTS.includes(one.impact))
    .map((one) => ({ page: name, rule: one.id, where: one.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`) }));
}
