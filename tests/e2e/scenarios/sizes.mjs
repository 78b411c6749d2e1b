/** The panel and the strip in windows from a laptop's to 4K, with the viewer's notice and without: what cannot be used. */
import { choose, press, stickingOut } from '../browser/panel.mjs';

const CONTROLS = ['help', 'add', 'axis', 'prev', 'next', 'thumb', 'wash', 'accept', 'reject', 'edit', 'undo', 'save', 'verify'];
const ROW = ['accept', 'reject', 'edit'];

export default async function sizes({ given, user }) {
  const [first] = given.sizes;
  const viewer = await user({ language: given.language, ...first });
  await viewer.logIn(given.account);
  await viewer.open(given.study, { notice: true });
  await viewer.panel();
  await viewer.settled();
  const underNotice = { shown: await viewer.noticeShown(), covered: await covered(viewer, ['save', 'verify']) };
  await viewer.hideNotice();
  await viewer.page.waitForFunction(() => document.querySelector('[data-pa="panel"]').style.paddingBottom === '0px');
  await choose(viewer, given.finding, given.slice);
  await press(viewer, 'accept');
  const seen = [];
  for (const { width, height } of given.sizes) {
    await viewer.page.setViewportSize({ width, height });
    await viewer.settled();
    if (given.folder) await viewer.page.screenshot({ path: `${given.folder}/${width}-${given.language}.png` });
    seen.push({ width, ...(await look(viewer)) });
  }
  return { underNotice, form: await openForm(viewer, first), seen };
}

async function look(viewer) {
  return {
    out: await stickingOut(viewer),
    wider: await viewer.part('panel').evaluate((panel) =>
      [panel, ...panel.querySelectorAll(':scope > :not(.pa-hidden)')].filter((part) => part.scrollWidth > part.clientWidth + 1).map((part) => part.className)
    ),
    covered: await covered(viewer, CONTROLS),
    rows: await viewer.page.evaluate(
      (names) => new Set(names.map((name) => document.querySelector(`[data-pa="${name}"]`).getBoundingClientRect().top)).size,
      ROW
    ),
    strip: await strip(viewer),
  };
}

/** The edit form, opened by its button in a small window: whether its last button is in view. */
async function openForm(viewer, size) {
  await viewer.page.setViewportSize(size);
  await press(viewer, 'edit');
  await viewer.settled();
  return { covered: await viewer.page.evaluate(uncovered, { names: ['edit-form', 'comment'], scroll: false }) };
}

async function covered(viewer, names) {
  return viewer.page.evaluate(uncovered, { names, scroll: true });
}

/** Runs in the page: the parts that are missing, or that something else lies over, at their middle or near a corner. */
function uncovered({ names, scroll }) {
  return names.flatMap((name) => {
    const part = document.querySelector(`[data-pa="${name}"]`);
    if (part === null) return [`${name} is missing`];
    if (scroll) part.scrollIntoView({ block: 'nearest' });
    const { left, right, top, bottom } = part.getBoundingClientRect();
    const points = [
      [(left + right) / 2, (top + bottom) / 2],
      [left + 4, top + 4],
      [right - 4, bottom - 4],
    ];
    const others = points.map(([x, y]) => document.elementFromPoint(x, y)).filter((at) => !part.contains(at));
    return others.slice(0, 1).map((at) => `${name} is under ${at?.outerHTML.slice(0, 80) ?? 'the edge of the window'}`);
  });
}

/** Where the strip lies in its viewport, in CSS px, and whether a click there meets it. */
async function strip(viewer) {
  return viewer.page.evaluate(() => {
    const canvas = document.querySelector('[data-pa="strip"]');
    const inner = canvas.getBoundingClientRect();
    const outer = window.paViewport().element.getBoundingClientRect();
    const hit = document.elementFromPoint(inner.x + inner.width / 2, inner.y + inner.height / 2) === canvas;
    return { hit, height: inner.height / outer.height, fromRight: outer.right - inner.right, below: outer.bottom - inner.bottom };
  });
}
