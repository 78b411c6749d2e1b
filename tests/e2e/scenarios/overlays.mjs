/** Each overlay of the study laid over the image by one press and taken off by another: pictures of the viewport. */
import { readFile } from 'node:fs/promises';
import { choose } from '../browser/panel.mjs';

const PATIENCE_MS = 60_000;
const REST_MS = 2_000;
const CORNERS = [
  [0, 0],
  [100, 0],
  [0, 100],
];

export default async function overlays({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.panel();
  await choose(viewer, given.finding, given.slice);
  const seen = {};
  for (const { kind, name } of given.overlays) seen[kind] = await layOver(viewer, given, kind, name);
  return { seen, corners: await viewer.onCanvas(CORNERS) };
}

/** The study may have several of a kind; `name` is part of the words of the one that is meant. */
async function layOver(viewer, given, kind, name) {
  const those = (rest) => viewer.part('overlay', `[data-kind="${kind}"]${rest}`).filter({ hasText: name });
  const button = those('');
  const words = await button.innerText();
  const off = await picture(viewer, given, `${kind}-off`);
  await button.click();
  await those('[aria-pressed="true"]').waitFor();
  await viewer.sliceIs(given.slice);
  const on = await pictureUnlike(viewer, given, `${kind}-on`, off);
  await button.click();
  await those('[aria-pressed="false"]').waitFor();
  await viewer.sliceIs(given.slice);
  return { words, off, on };
}

/** A picture of what is not as before and has come to rest: the viewer says nothing when a layer has been drawn. */
async function pictureUnlike(viewer, given, name, before) {
  const end = Date.now() + PATIENCE_MS;
  const was = await readFile(before);
  let last = was;
  while (Date.now() < end) {
    await viewer.page.waitForTimeout(REST_MS);
    const now = await readFile(await picture(viewer, given, name));
    if (!now.equals(was) && now.equals(last)) break;
    last = now;
  }
  return picture(viewer, given, name);
}

async function picture(viewer, given, name) {
  await viewer.page.mouse.move(2, 2);
  await viewer.settled();
  return viewer.viewportPicture(given.folder, name);
}
