/** From a slice of evidence to its point in all planes: in stacks side by side, then in reformats of one volume. */
import { choose } from '../browser/panel.mjs';
import { marked, marks, sideBySide } from '../browser/planes.mjs';

export default async function planes({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.panel();
  await sideBySide(viewer, given.series);
  await choose(viewer, given.finding, given.slices[0]);
  const stacks = { chosen: await marked(viewer, 3) };
  for (const slice of given.slices.slice(1)) {
    await viewer.part('thumb', `[data-sop="${slice}"]`).click();
    await viewer.sliceIs(slice);
    stacks[slice] = await marked(viewer, 3);
  }
  await viewer.page.keyboard.press('Escape');
  const afterEscape = await marks(viewer, 0);
  await viewer.threePlanes();
  await viewer.page.waitForTimeout(3000); // the other planes fill while the volume loads
  await viewer.part('thumb', `[data-sop="${given.slices[0]}"]`).click();
  await viewer.sliceIs(given.slices[0]);
  const reformats = await marked(viewer, 3);
  const { x, y, width, height } = await viewer.viewportBox();
  await viewer.page.mouse.click(x + width / 2, y + height / 4);
  return { stacks, afterEscape, reformats, afterClick: await marks(viewer, 0) };
}
