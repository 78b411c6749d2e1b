/** The least that has to work everywhere: the study opens, the panel fills, a click leads to the slice. */
import { choose, findingRows } from '../browser/panel.mjs';

export default async function smoke({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account, given.agent);
  await viewer.open(given.study, { mode: given.mode });
  await viewer.panel();
  const findings = await findingRows(viewer);
  const chosen = await choose(viewer, given.finding, given.slice);
  await viewer.page.keyboard.press(']');
  await viewer.sliceIs(given.next);
  return { findings, chosen, strips: await viewer.part('strip').count() };
}
