/** A study read by all its series: its items, and the point of one of them in those of three planes that reach to it. */
import { findingRows, row } from '../browser/panel.mjs';
import { marked, sideBySide } from '../browser/planes.mjs';

const SCREEN = { width: 1600, height: 900 };

export default async function staging({ given, user }) {
  const viewer = await user(SCREEN);
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.panel();
  const rows = await findingRows(viewer);
  await sideBySide(viewer, given.series);
  await row(viewer, given.item).locator('button').first().click();
  await viewer.shows(given.slice);
  const marks = await marked(viewer, given.marks);
  await viewer.page.waitForTimeout(2000); // the small pictures
  await viewer.page.screenshot({ path: given.picture });
  return { rows: rows.map(({ finding }) => finding), marks };
}
