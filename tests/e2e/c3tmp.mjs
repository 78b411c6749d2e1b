import { chromium } from 'playwright-core';
const b = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const p = await b.newPage({ viewport: { width: 1400, height: 900 } });
p.on('console', (m) => { if (m.type() === 'error' || m.type()==='warning') console.log('CONSOLE', m.text()); });
p.on('pageerror', (e) => console.log('PAGEERROR', e.message));
const at = 'http://127.0.0.1:18099/console';
for (const [path, name] of [['/peers','peers'],['/peers/destinations/web','destination'],['/peers/senders/ORTHANC','sender'],['/bring-in','bring-in'],['/bring-in/transfers/id-1','transfer'],['/peers/add/stow','add']]) {
  await p.goto(at + path, { waitUntil: 'load' });
  await p.screenshot({ path: `/tmp/c3_shots/${name}.png`, fullPage: true });
}
await p.goto(at + '/peers/destinations/pacs');
await p.getByRole('button', { name: 'Test by C-ECHO' }).click();
await p.locator('.problem-here p, .problem').first().waitFor();
console.log('TEST', await p.locator('.problem-here p, .problem').first().textContent());
await p.goto(at + '/bring-in');
await p.fill('#patient_name', 'Doe');
await p.getByRole('button', { name: 'Find' }).click();
await p.waitForURL(/found/);
console.log('FOUND', p.url(), await p.locator('.flashes').textContent());
await p.screenshot({ path: `/tmp/c3_shots/found.png`, fullPage: true });
await p.getByRole('button', { name: 'Fetch study 1 by C-MOVE' }).click();
await p.waitForURL(/bring-in$/);
console.log('PULL', await p.locator('.flashes').textContent());
await p.setInputFiles('#files', [{ name: 'a.dcm', mimeType: 'application/dicom', buffer: Buffer.alloc(3000000) }]);
await p.getByRole('button', { name: 'Take in' }).click();
await p.locator('.flashes', { hasText: 'taken in' }).waitFor();
console.log('UPLOAD', await p.locator('.flashes').textContent());
await b.close();
