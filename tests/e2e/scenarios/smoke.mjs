/** The least that has to work everywhere: the study opens, the panel fills, a click leads to the slice and marks it. */
import { choose, findingRows } from '../browser/panel.mjs';

export default async function smoke({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account, given.agent);
  await viewer.open(given.study, { mode: given.mode });
  if (given.folded) await viewer.page.locator('[data-cy="reading-btn"]').click();
  await viewer.panel();
  const findings = await findingRows(viewer);
  const chosen = await choose(viewer, given.finding, given.slice);
  await viewer.part('point').first().waitFor();
  const next = await viewer.sliceAfter(() => viewer.page.keyboard.press(']'));
  return { findings, chosen, next, strips: await viewer.part('strip').count() };
}
