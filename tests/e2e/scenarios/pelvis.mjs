/** T2 of three planes side by side; an item of staging, its slices of each series and its distance lead all to a point. */
import { row, stickingOut } from '../browser/panel.mjs';
import { marked, sideBySide } from '../browser/planes.mjs';

const SCREEN = { width: 1600, height: 900 };

export default async function pelvis({ given, user }) {
  const viewer = await user(SCREEN);
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.panel();
  const levels = await viewer.part('level').allTextContents();
  await sideBySide(viewer, given.series);
  await press(viewer, given.item, given.slices[0]);
  const item = await marked(viewer, 3);
  const named = await row(viewer, given.item).locator('.pa-thumb-where').allTextContents();
  const slices = {};
  for (const slice of given.slices) {
    await viewer.part('thumb', `[data-sop="${slice}"]`).click();
    await viewer.shows(slice);
    slices[slice] = await marked(viewer, 3);
  }
  await row(viewer, given.measured).locator('button').first().click();
  await marked(viewer, 3);
  const line = viewer.part('distance').first();
  const measured = await line.textContent();
  await line.focus();
  await viewer.page.keyboard.press('Enter');
  const distance = await marked(viewer, 3);
  const drawn = await viewer.page.locator('path[data-pa="ends"]').count();
  const sticking = await stickingOut(viewer);
  await press(viewer, given.item, given.slices[0]);
  await marked(viewer, 3);
  await viewer.page.waitForTimeout(2000); // the small pictures
  await viewer.page.screenshot({ path: given.picture });
  return { levels, item, named, slices, measured, distance, drawn, stickingOut: sticking };
}

/** Opens an item of staging; its strongest slice is then in the viewport of its series, which need not be the active one. */
async function press(viewer, item, slice) {
  await row(viewer, item).locator('button').first().click();
  await viewer.shows(slice);
}
