/** From finding to slice, by click and by key, in the stack and in three planes: the slices that were come to. */
import { choose, press } from '../browser/panel.mjs';

export default async function evidence({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.panel();
  const stack = await walk(viewer, given.findings);
  const strip = await useStrip(viewer, given.findings[0]);
  await viewer.threePlanes();
  return { stack, strip, planes: await walk(viewer, given.findings) };
}

/** For each finding: the slice its row leads to, those of its thumbnails, and a round by key in both directions. */
async function walk(viewer, findings) {
  const seen = {};
  for (const { key, slices } of findings) {
    const chosen = await choose(viewer, key, slices[0]);
    const clicked = await throughThumbnails(viewer);
    const buttons = await around(viewer, slices, () => press(viewer, 'next'));
    const forward = await around(viewer, slices, () => viewer.page.keyboard.press(']'));
    const back = await around(viewer, slices, () => viewer.page.keyboard.press('['));
    seen[key] = { chosen, clicked, buttons, forward, back };
  }
  return seen;
}

/** Clicks each thumbnail, the one on display last; for each the slice it is of, and the slice that came. */
async function throughThumbnails(viewer) {
  const thumbs = viewer.part('thumb');
  const came = [];
  for (const at of [...Array(await thumbs.count()).keys()].reverse()) {
    const sop = await thumbs.nth(at).getAttribute('data-sop');
    await thumbs.nth(at).click();
    await viewer.sliceIs(sop);
    came.push(sop);
  }
  return came;
}

/** As many steps as there are slices: the last one leads back to the first. */
async function around(viewer, slices, step) {
  const came = [];
  for (let at = 0; slices.length > 1 && at < slices.length; at += 1) came.push(await viewer.sliceAfter(step));
  return came;
}

/** The strip beside the image: what it is drawn in, and the slice a click on it leads to. */
async function useStrip(viewer, { slices }) {
  const target = slices.at(-1);
  const strip = viewer.part('strip').first();
  const { colours, share } = await strip.evaluate((canvas, sop) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let at = 0; at < data.length; at += 4) seen.add(data.slice(at, at + 3).join());
    const { viewport } = window.paViewport();
    const images = viewport.getImageIds();
    const place = images.findIndex((image) => window.cornerstone.metaData.get('instance', image).SOPInstanceUID === sop);
    return { colours: seen.size, share: (place + 0.5) / images.length };
  }, target);
  const { width, height } = await strip.boundingBox();
  await strip.click({ position: { x: width / 2, y: share * height } });
  await viewer.sliceIs(target);
  return { colours, wanted: target, slice: await viewer.slice() };
}
