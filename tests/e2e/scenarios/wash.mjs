/** The heat in the slice, off, on and off again: pictures of the viewport, and where the image lies in them. */
import { choose, press } from '../browser/panel.mjs';

const CORNERS = [
  [0, 0],
  [100, 0],
  [0, 100],
];

export default async function wash({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.panel();
  await choose(viewer, given.finding, given.slice);
  await viewer.page.addStyleTag({ content: '[data-pa="heat-peak"], [data-pa="point"] { display: none }' }); // ring and cross show no heat
  const pictures = { off: await picture(viewer, given, 'off') };
  await press(viewer, 'wash');
  await viewer.part('heat').first().waitFor();
  pictures.on = await picture(viewer, given, 'on');
  const beside = await besideImage(viewer);
  await viewer.page.keyboard.press('w');
  await viewer.part('heat').first().waitFor({ state: 'detached' });
  pictures.again = await picture(viewer, given, 'again');
  return { pictures, corners: await viewer.onCanvas(CORNERS), beside };
}

async function picture(viewer, given, name) {
  await viewer.page.mouse.move(2, 2);
  await viewer.settled();
  return viewer.viewportPicture(given.folder, name);
}

/** Boxes, in CSS px of the viewport, of what is not the image: our texts and strip, and OHIF's scroll bar that fills. */
async function besideImage(viewer) {
  return viewer.page.evaluate(() => {
    const { element } = window.paViewport();
    const { x, y, width, height } = element.getBoundingClientRect();
    const boxes = [...element.querySelectorAll('[data-pa]:not(svg *)')].map((each) => {
      const box = each.getBoundingClientRect();
      return { x: box.x - x, y: box.y - y, width: box.width, height: box.height };
    });
    return [...boxes, { x: width - 24, y: 0, width: 24, height }];
  });
}
