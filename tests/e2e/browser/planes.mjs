/** Several series side by side, and the mark of a point in each. */

/** Puts a series into each of three viewports beside one another, one by one, as a reader does; what has its own keeps it. */
export async function sideBySide(viewer, series) {
  await viewer.page.waitForFunction(
    (uids) => uids.every((uid) => window.services.displaySetService.getDisplaySetsForSeries(uid).length > 0),
    series
  );
  await viewer.page.evaluate(() => window.commandsManager.run('setViewportGridLayout', { numRows: 1, numCols: 3 }));
  for (const [at, uid] of series.entries()) {
    await viewer.page.waitForTimeout(1500); // a viewport that is being set up takes no series
    const shown = await viewer.page.evaluate(() => window.paSeriesShown());
    if (shown[at] !== uid) await viewer.page.evaluate(putSeries, { at, uid });
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
export async function marked(viewer, count) {
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
export async function marks(viewer, count) {
  await viewer.page.waitForFunction(
    (wanted) => window.paViewports().filter(({ element }) => element.querySelector('[data-pa="point"]')).length === wanted,
    count
  );
  await viewer.settled();
  return count;
}
