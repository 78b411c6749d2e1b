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
  ['tokens', '/console/tokens'],
  ['account', '/console/account'],
  ['settings', '/console/settings'],
  ['logs', '/console/logs'],
];
/** Applied once a day: what would go is shown, and nothing goes before the test is over. */
const RETENTION = { archive_gb: 0.000001, every_minutes: 1440 };

export default async function pages({ given, user }) {
  const viewer = await user({ width: 1280, height: 800 });
  const { page } = viewer;
  const console = new Console(page, given.address);
  const faults = await look(console, 'login', '/login', null, given);
  await viewer.logIn(given.account);
  for (const [name, where, opens] of [...PAGES, ...(await prepared(console))]) {
    faults.push(...(await look(console, name, where, opens, given)));
  }
  await acted(page, '/api/v1/settings/retention', { json: {} });
  return { faults, pages: PAGES.length };
}

/** The pages that show something only after an act: what retention would remove, and what an import would change. */
async function prepared(console) {
  const { page } = console;
  await console.open('/console/settings');
  await acted(page, '/api/v1/settings/retention', { json: RETENTION });
  const exported = await page.evaluate(async () => (await fetch('/api/v1/settings/export')).text());
  const file = exported.replace(/^peers:.*\n/m, 'peers:\n- {ae_title: NEWCT, host: 192.0.2.7}\n').replace('warn_free_gb: 10.0', 'warn_free_gb: 20.0');
  const { location } = await acted(page, '/api/v1/settings/import', { file });
  return [['retention', '/console/settings/retention'], ['import', location]];
}

/** Posts JSON, or a file, as a program of this login would; gives the answer. */
async function acted(page, path, body) {
  return page.evaluate(
    async ([asked, { json, file }]) => {
      const form = new FormData();
      if (file !== undefined) form.append('file', new Blob([file]), 'agent.yaml');
      const headers = { 'X-CSRF-Token': document.documentElement.dataset.csrf };
      if (json !== undefined) headers['Content-Type'] = 'application/json';
      const answer = await fetch(asked, { method: 'POST', headers, body: json === undefined ? form : JSON.stringify(json) });
      if (!answer.ok) throw new Error(`${asked}: ${answer.status} ${await answer.text()}`);
      return answer.json();
    },
    [path, body],
  );
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
