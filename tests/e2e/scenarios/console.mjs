/** The administrator's main jobs, one after the other, from the first start to the audit trail. */
import { Console } from '../browser/console.mjs';

export default async function console_({ given, user, ask }) {
  const { page } = await user({ width: 1280, height: 800 });
  const console = new Console(page, given.address);
  const facts = { first: await firstStart(console, given) };
  facts.echo = await peers(console, given);
  facts.tested = await rules(console, given);
  facts.arrived = await arrives(console, ask);
  await ask('breathe');
  facts.repaired = await repair(console, given, ask);
  facts.model = await model(console, given, ask);
  facts.actions = (await console.json('/api/v1/audit?limit=500')).lines.rows.map((line) => line.action);
  return facts;
}

async function firstStart(console, { account }) {
  await console.open('/console/first');
  await console.fill({ login: account.login, name: account.name, password: account.password });
  await console.page.getByRole('button').first().click();
  await console.page.waitForURL('**/console');
  const wrong = await console.page.locator('.troubles li strong').allTextContents();
  return { wrong, name: await console.page.locator('.who a[href="/console/account"]').textContent() };
}

async function peers(console, { sender, pacs }) {
  await console.open('/console/peers/add/sender');
  await console.fill({ ae_title: sender, host: '127.0.0.1' });
  await console.act('Add');
  await console.open('/console/peers/add/sender');
  await console.fill({ ae_title: pacs.ae_title, host: '127.0.0.1' });
  await console.act('Add');
  await console.open(`/console/peers/senders/${pacs.ae_title}`);
  await console.page.locator('#echo-port').fill(String(pacs.port));
  const echo = await console.act('C-ECHO');
  await console.open('/console/peers/add/dimse');
  // the port is wrong: deliveries will fail until somebody repairs it
  await console.fill({ name: 'pacs', host: '127.0.0.1', port: pacs.dead_port, called_ae: pacs.ae_title });
  const added = await console.act('Add');
  return { echo, added };
}

async function rules(console, { rules: text, file }) {
  await console.open('/console/rules');
  await console.page.locator('#rules-text').fill(text);
  await console.page.locator('#rules-file').setInputFiles(file);
  await console.page.getByRole('button', { name: 'Test with this file' }).click();
  await console.page.locator('.done').waitFor();
  const summary = await console.page.locator('.done').textContent();
  const saved = await console.act('Save and put in force');
  return { summary, saved };
}

/** A study is seen to come in, to be read and to fail at its delivery, on pages that nobody loads anew. */
async function arrives(console, ask) {
  await console.open('/console/studies');
  await console.page.locator('[data-live-state="live"]').waitFor({ state: 'attached' });
  await ask('send the first study');
  const link = console.page.locator('#studies tbody a').first();
  await link.waitFor({ timeout: 30_000 });
  await console.page.evaluate(() => (window.sameDocument = true));
  await link.click();
  await console.page.waitForURL('**/console/studies/*');
  await console.page.evaluate(() => (window.sameDocument = true));
  await console.state('failed', 240_000);
  return { live: await console.page.evaluate(() => window.sameDocument === true) };
}

async function repair(console, { pacs }, ask) {
  await console.open('/console/dead-letters');
  const why = await console.page.locator('tbody tr td').nth(2).textContent();
  await console.open('/console/peers/destinations/pacs');
  await console.fill({ port: pacs.port });
  await console.act('Save');
  await console.open('/console/peers/destinations/pacs');
  const test = await console.act('Test by C-ECHO');
  await console.open('/console/dead-letters');
  const again = await console.act('Run again');
  await ask('breathe');
  await console.open('/console/jobs');
  await console.page.locator('tbody a').first().click();
  await console.page.waitForURL('**/console/jobs/*');
  await console.state('done', 240_000);
  return { why, test, again };
}

async function model(console, { model: file, version }, ask) {
  const { page } = console;
  await console.open('/console/models');
  await page.locator('input[name="bundle"]').setInputFiles(file);
  const installed = await console.act('Install', { timeout: 200_000 });
  await ask('breathe');
  const here = async () => {
    await console.open('/console/models');
    await page.locator('#bundles tr', { hasText: version }).locator('a').first().click();
    await page.waitForURL('**/console/models/*');
  };
  await here();
  const shadow = await console.act('Read in the shadow', { sure: 'Read in the shadow', timeout: 270_000 });
  await ask('send the second study');
  const compared = await ask('compared');
  await here();
  const active = await console.act('Activate', { sure: 'Activate', timeout: 270_000 });
  await ask('breathe');
  await here();
  const uses = async () => (await console.json('/api/v1/models')).bundles
      .filter((one) => one.task === 'report')
      .map((one) => [one.version, one.use]);
  const after = await uses();
  await page.getByRole('button', { name: /^Roll back/ }).click();
  await page.locator('#confirm').getByRole('button', { name: 'Roll back' }).click();
  await page.locator('.flashes > p').first().waitFor({ timeout: 270_000 });
  return { installed, shadow, compared, active, after, rolledBack: await uses() };
}
