/** The pictures of docs/img: the panel in every state. Not a test; `python -m tests.e2e.pictures` takes them. */
import path from 'node:path';
import { accept, choose, edit, press, reject, row, says } from '../browser/panel.mjs';

const SCREEN = { width: 1440, height: 900 };

export default async function pictures({ given, user, ask }) {
  const viewer = await user(SCREEN);
  const whole = (name) => viewer.page.screenshot({ path: path.join(given.folder, `ohif-${name}.png`) });
  const panel = (name, of = viewer) => panelPicture(of, given.folder, name);
  await viewer.page.goto(`${given.address}/login`);
  await whole('login');
  await viewer.logIn(given.account);
  await reading(viewer, given, { whole, panel });
  await segmentation(viewer, given, { whole });
  await reviewing(viewer, given, { whole, panel });
  await withoutResult(viewer, given, panel);
  await pending(viewer, given, ask, panel);
  await twoReviewers(viewer, await user(SCREEN), given, panel);
  await german(await user({ ...SCREEN, language: 'de-DE' }), given);
  return {};
}

async function reading(viewer, { ready: { study, findings } }, { whole, panel }) {
  await viewer.open(study);
  await viewer.panel();
  await panel('findings');
  await choose(viewer, findings[0].key, findings[0].slice);
  await press(viewer, 'wash');
  await viewer.part('heat').first().waitFor();
  await thumbnails(viewer);
  await whole('ready');
  await viewer.threePlanes();
  await viewer.page.waitForTimeout(3000); // the other planes fill while the volume loads
  await press(viewer, 'thumb');
  await viewer.part('point').first().waitFor();
  await whole('planes');
}

/** The agent's own segmentation over the slice in which a region was measured, and the region in the panel. */
async function segmentation(viewer, { ready: { study, measured } }, { whole }) {
  await viewer.open(study);
  await viewer.panel();
  await row(viewer, measured.key).locator('button').first().click();
  await press(viewer, 'overlay', '[data-kind="segmentation"]');
  await viewer.page.waitForTimeout(5000); // the viewer says nothing when a layer has been drawn
  await press(viewer, 'region');
  await viewer.sliceIs(measured.slice);
  await viewer.part('point').first().waitFor();
  await thumbnails(viewer);
  await whole('segmentation');
}

async function reviewing(viewer, { reviewed: { study, findings } }, { whole, panel }) {
  await viewer.open(study);
  await viewer.panel();
  const [shown, first, second, ...others] = findings;
  await choose(viewer, first.key, first.slice);
  await press(viewer, 'reject');
  await thumbnails(viewer);
  await panel('reject');
  await press(viewer, 'reason', '[data-reason="not_there"]');
  await choose(viewer, second.key, second.slice);
  await press(viewer, 'edit');
  await panel('edit');
  await viewer.page.keyboard.press('Escape');
  await edit(viewer, second.key, { comment: 'Small, along the right dome only.' });
  for (const { key, slice } of [shown, ...others]) {
    await choose(viewer, key, slice);
    await accept(viewer, key);
  }
  await row(viewer, others.at(-1).key).locator('button').first().click();
  await whole('review');
  await viewer.page.keyboard.press('?');
  await viewer.part('sheet').waitFor();
  await whole('keys');
  await viewer.page.keyboard.press('Escape');
  await press(viewer, 'verify');
  await says(viewer, 'mark', /Verified by/);
  await says(viewer, 'saved', /in the PACS/);
  await panel('verified');
}

async function withoutResult(viewer, { states }, panel) {
  for (const [name, study] of Object.entries(states)) {
    await viewer.open(study);
    await viewer.panel(name.replace('-', '_'));
    await panel(name);
  }
}

async function pending(viewer, { late }, ask, panel) {
  await ask('a study arrives');
  await viewer.open(late);
  await viewer.panel('pending');
  await panel('arriving');
  await ask('the agent goes on');
  await viewer.page.locator('[data-pa="step"][data-state="done"]').first().waitFor({ timeout: 90_000 });
  await ask('the agent stops');
  await viewer.page.waitForTimeout(1500);
  await panel('pending');
  await ask('the agent goes on');
  await viewer.panel('ready');
}

async function twoReviewers(viewer, other, { ready: { study, findings }, other: account }, panel) {
  await other.logIn(account);
  for (const each of [viewer, other]) {
    await each.open(study);
    await each.panel();
  }
  await choose(other, findings[0].key, findings[0].slice);
  await reject(other, findings[0].key, 'wrong_place');
  await choose(viewer, findings[0].key, findings[0].slice);
  await accept(viewer, findings[0].key);
  await press(viewer, 'save');
  await other.part('conflict').waitFor();
  await panel('conflict', other);
}

async function german(viewer, { account, reviewed: { study, findings }, folder }) {
  await viewer.logIn(account);
  await viewer.open(study);
  await viewer.panel();
  await choose(viewer, findings[0].key, findings[0].slice);
  await press(viewer, 'wash');
  await viewer.part('heat').first().waitFor();
  await thumbnails(viewer);
  await viewer.page.screenshot({ path: path.join(folder, 'ohif-german.png') });
}

/** Waits until the small pictures of the selected finding are there. */
async function thumbnails(viewer) {
  await viewer.page.waitForFunction(() => {
    const thumbs = [...document.querySelectorAll('[data-pa="thumb"]')];
    return thumbs.length > 0 && thumbs.every((thumb) => thumb.querySelector('img')?.complete);
  });
  await viewer.settled();
}

async function panelPicture(viewer, folder, name) {
  await viewer.settled();
  await viewer.part('panel').screenshot({ path: path.join(folder, `ohif-${name}.png`) });
}
