/** Each overlay of the study laid over the image by one press and taken off by another: pictures of the viewport. */
import { choose } from '../browser/panel.mjs';

export default async function overlays({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.panel();
  await choose(viewer, given.finding, given.slice);
  const seen = {};
  for (const kind of given.kinds) seen[kind] = await layOver(viewer, given, kind);
  return { seen, corners: await viewer.onCanvas([[0, 0], [100, 0], [0, 100]]) };
}

async function layOver(viewer, given, kind) {
  const button = viewer.part('overlay', `[data-kind="${kind}"]`);
  const words = await button.innerText();
  const off = await picture(viewer, given, `${kind}-off`);
  await button.click();
  await viewer.part('overlay', `[data-kind="${kind}"][aria-pressed="true"]`).waitFor();
  await viewer.sliceIs(given.slice);
  await viewer.page.waitForTimeout(given.wait_ms); // the viewer says nothing when a layer has been drawn
  const on = await picture(viewer, given, `${kind}-on`);
  await button.click();
  await viewer.part('overlay', `[data-kind="${kind}"][aria-pressed="false"]`).waitFor();
  return { words, off, on };
}

async function picture(viewer, given, name) {
  await viewer.page.mouse.move(2, 2);
  await viewer.settled();
  return viewer.viewportPicture(given.folder, name);
}
