/** Jumps to slices of the open study, by our keys and strip and by OHIF's own command: ms of each, measured in the page. */
import { choose } from '../browser/panel.mjs';

export default async function jumps({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.panel();
  await choose(viewer, given.finding, given.slice);
  for (const share of given.shares) await clickStrip(viewer, share);
  const ours_ms = await viewer.page.evaluate(() => performance.getEntriesByName('pa:jump').map(({ duration }) => duration));
  const alone_ms = [];
  for (const share of given.shares) alone_ms.push(await viewer.page.evaluate(ohifJump, share));
  return { ours_ms, alone_ms };
}

async function clickStrip(viewer, share) {
  const strip = viewer.part('strip').first();
  const { width, height } = await strip.boundingBox();
  await viewer.sliceAfter(() => strip.click({ position: { x: width / 2, y: share * height } }));
}

/** Runs in the page: the jump that OHIF itself makes (its command jumpToImage), until the new image is there. */
async function ohifJump(share) {
  const { viewport, element } = window.paViewport();
  const imageIndex = Math.floor(share * viewport.getImageIds().length);
  const rendered = new Promise((done) =>
    element.addEventListener(window.cornerstone.EVENTS.STACK_NEW_IMAGE, done, { once: true })
  );
  const start = performance.now();
  await window.cornerstone.utilities.jumpToSlice(element, { imageIndex });
  await rendered;
  return performance.now() - start;
}
