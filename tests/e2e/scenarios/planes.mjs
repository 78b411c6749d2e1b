/** From a slice of evidence to its point in all planes: in stacks side by side, then in reformats of one volume. */
import { choose } from '../browser/panel.mjs';

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

/** Puts a series into each of three viewports beside one another, one by one, as a reader does; the first has its own. */
async function sideBySide(viewer, series) {
  await viewer.page.waitForFunction(
    (uids) => uids.every((uid) => window.services.displaySetService.getDisplaySetsForSeries(uid).length > 0),
    series
  );
  await viewer.page.evaluate(() => window.commandsManager.run('setViewportGridLayout', { numRows: 1, numCols: 3 }));
  for (const [at, uid] of series.entries()) {
    await viewer.page.waitForTimeout(1500); // a viewport that is being set up takes no series
    if (at > 0) await viewer.page.evaluate(putSeries, { at, uid });
    await viewer.page.waitForFunction((wanted) => window.paSeriesShown().includes(wanted), uid);
  }
}

/** In the page: shows a series in one of the viewports. */
function putSeries({ at, uid }) {
  const { viewportGridService, displaySetService } = window.services;
  const viewportId = [...viewportGridService.getState().viewports.keys()][at];
  const displaySetInstanceUIDs = [displaySetService.getDisplaySetsForSeries(uid)[0].displaySetInstanceUID];
  window.commandsManager.run('setDisplaySetsForViewports', { viewportsToUpdate: [{ viewportId, displaySetInstanceUIDs }] });
}

/** Waits until so many viewports have a mark; the plane that each of them shows, and where in the patient the mark is. */
async function marked(viewer, count) {
  await marks(viewer, count);
  return viewer.page.evaluate(() =>
    window.paViewports().flatMap((viewport) => {
      const mark = viewport.element.querySelector('[data-pa="point"]');
      if (!mark) return [];
      const { x, y, width, height } = mark.getBBox();
      const { viewPlaneNormal } = viewport.getCamera();
      const point = viewport.canvasToWorld([x + width / 2, y + height / 2]);
      return [{ normal: [...viewPlaneNormal], point: [...point], type: viewport.type }];
    })
  );
}

/** Waits until so many viewports have a mark, and has that drawn. */
async function marks(viewer, count) {
  await viewer.page.waitForFunction(
    (wanted) => window.paViewports().filter(({ element }) => element.querySelector('[data-pa="point"]')).length === wanted,
    count
  );
  await viewer.settled();
  return count;
}
