/** OHIF with our panel, as a user sees it: what is clicked, read and looked at. */
import path from 'node:path';

const IMAGE_SHOWN_MS = 120_000;

export class Viewer {
  /** `page` of playwright; `address` is where the viewer is served. */
  constructor(page, address) {
    this.page = page;
    this.address = address.replace(/\/$/, '');
  }

  /** An element of ours by its stable name. */
  part(name, attributes = '') {
    return this.page.locator(`[data-pa="${name}"]${attributes}`);
  }

  /** Logs in on the agent's page, and stays there. */
  async logIn({ login, password }, address = this.address) {
    await this.page.goto(`${address}/login`);
    await this.page.fill('input[name="login"]', login);
    await this.page.fill('input[name="password"]', password);
    await Promise.all([this.page.waitForURL((url) => !url.pathname.startsWith('/login')), this.page.keyboard.press('Enter')]);
  }

  /**
   * Opens a study and waits until its first image is drawn. `mode` is the route of an OHIF mode; `notice` leaves OHIF's
   * own notice on investigational use, which lies over the images until it is confirmed.
   */
  async open(study, { mode = 'pacs-agent', query = {}, notice = false } = {}) {
    const asked = new URLSearchParams({ StudyInstanceUIDs: study, ...query });
    await this.page.goto(`${this.address}/${mode}?${asked}`, { waitUntil: 'domcontentloaded' });
    await this.imageShown();
    if (!notice) await this.hideNotice();
  }

  /** Confirms OHIF's notice where it is shown. */
  async hideNotice() {
    if (await this.noticeShown()) await this.#notice.click();
  }

  async noticeShown() {
    return this.#notice.isVisible();
  }

  get #notice() {
    return this.page.locator('[data-cy="confirm-and-hide-button"]');
  }

  /** Waits until the active viewport shows an image of the study. */
  async imageShown() {
    await this.page.waitForFunction(() => window.paImage?.() != null, null, { timeout: IMAGE_SHOWN_MS });
  }

  /** Waits until the panel is in one of the states; the state. */
  async panel(...states) {
    const wanted = (states.length ? states : ['ready']).map((state) => `[data-pa="panel"][data-state="${state}"]`);
    const panel = this.page.locator(wanted.join(', ')).first();
    await panel.waitFor({ timeout: 90_000 });
    return panel.getAttribute('data-state');
  }

  /** SOP Instance UID of the image in the active viewport; OHIF may set its viewports up anew after the first image. */
  async slice() {
    const shown = await this.page.waitForFunction(() => window.paImage?.()?.sop, null, { timeout: IMAGE_SHOWN_MS });
    return shown.jsonValue();
  }

  /** Waits until the viewport shows this image. */
  async sliceIs(sop) {
    await this.page.waitForFunction((wanted) => window.paImage()?.sop === wanted, sop, { timeout: 30_000 });
  }

  /** Waits until one of the viewports shows this image. */
  async shows(sop) {
    await this.page.waitForFunction(
      (wanted) =>
        window.paViewports().some((each) => {
          const image = each.viewportStatus === 'rendered' && each.getCurrentImageId();
          return image && window.cornerstone.metaData.get('instance', image)?.SOPInstanceUID === wanted;
        }),
      sop,
      { timeout: 30_000 }
    );
  }

  /** Does something, then waits until the viewport shows another image; its SOP Instance UID. */
  async sliceAfter(action) {
    const before = await this.slice();
    await action();
    await this.page.waitForFunction((old) => (window.paImage()?.sop ?? old) !== old, before, { timeout: 30_000 });
    return this.slice();
  }

  /** Box of the active viewport on the page, in CSS px. */
  async viewportBox() {
    return this.page.evaluate(() => {
      const { x, y, width, height } = window.paViewport().element.getBoundingClientRect();
      return { x, y, width, height };
    });
  }

  /** Where pixels of the image shown, as [row, column], lie in the viewport, as [x, y] in CSS px. */
  async onCanvas(points) {
    return this.page.evaluate((pixels) => {
      const { viewport } = window.paViewport();
      const image = viewport.getCurrentImageId();
      return pixels.map(([row, column]) => {
        const world = window.cornerstone.utilities.imageToWorldCoords(image, [column, row]);
        return viewport.worldToCanvas(world);
      });
    }, points);
  }

  /** A picture of the active viewport, or of the whole page. */
  async viewportPicture(folder, name) {
    const file = path.join(folder, `${name}.png`);
    await this.page.screenshot({ path: file, clip: await this.viewportBox() });
    return file;
  }

  /** Shows the volume in three planes (MPR) and waits for it. */
  async threePlanes() {
    await this.page.evaluate(() => window.commandsManager.run('setHangingProtocol', { protocolId: 'mpr' }));
    await this.page.waitForFunction(() => window.paViewport()?.viewport.type === 'orthographic');
    await this.imageShown();
  }

  /** Stored values of the image on display after rescaling, at [row, column] each. */
  async values(points) {
    await this.page.waitForFunction(() => window.cornerstone.cache.getImage(window.paImage?.()?.image) !== undefined);
    return this.page.evaluate((pixels) => {
      const { cache } = window.cornerstone;
      const image = cache.getImage(window.paImage().image);
      const stored = image.voxelManager?.getScalarData?.() ?? image.getPixelData();
      return pixels.map(([row, column]) => stored[row * image.columns + column]);
    }, points);
  }

  /** Waits until what was changed last has been drawn. */
  async settled() {
    await this.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  }

  /** From now on counts how far parts of the page jump about by themselves (Layout Instability API, as in web vitals). */
  async watchShifts() {
    await this.page.evaluate(() => {
      window.paShifts = { score: 0, parts: [] };
      new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries()) {
          window.paShifts.score += value;
          window.paShifts.parts.push(...sources.map(({ node }) => (node?.outerHTML ?? node?.textContent ?? '').slice(0, 90)));
        }
      }).observe({ type: 'layout-shift' });
    });
  }

  /** The sum of the scores since `watchShifts`, and the parts that shifted. */
  async shifts() {
    await this.settled();
    return this.page.evaluate(() => window.paShifts);
  }

  /** Marks the page, so that a scenario can tell that it was not loaded again. */
  async mark() {
    await this.page.evaluate(() => (window.paSamePage = true));
  }

  /** Whether the page is the one that was marked. */
  async isMarked() {
    return this.page.evaluate(() => window.paSamePage === true);
  }
}

/**
 * Runs in the page before its own scripts: how the tests look at what OHIF shows. The viewport looked at is the active
 * one, or of several planes the first that shows the slices as they were acquired.
 */
export function eyes() {
  localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour'])); // the tour for newcomers lies over everything
  window.paViewports = () => (window.cornerstone?.getRenderingEngines?.() ?? []).flatMap((engine) => engine.getViewports());
  window.paSeriesShown = () =>
    window.paViewports().map((each) => {
      const image = each.viewportStatus === 'rendered' && each.getCurrentImageId();
      return image ? window.cornerstone.metaData.get('instance', image)?.SeriesInstanceUID : null;
    });
  window.paViewport = () => {
    const viewports = window.paViewports();
    if (!viewports.length) return null; // the grid does not answer before it is drawn
    const active = window.services.viewportGridService.getActiveViewportId();
    const asAcquired = viewports.filter((each) => each.type !== 'orthographic' || each.isInAcquisitionPlane());
    const viewport = asAcquired.find((each) => each.id === active) ?? asAcquired[0];
    return viewport ? { viewport, element: viewport.element } : null;
  };
  window.paImage = () => {
    try {
      const { viewport } = window.paViewport() ?? {};
      if (viewport?.viewportStatus !== 'rendered') return null;
      const image = viewport.getCurrentImageId();
      const sop = image && window.cornerstone.metaData.get('instance', image)?.SOPInstanceUID;
      return sop ? { image, sop } : null;
    } catch {
      return null; // a viewport of a volume has none yet
    }
  };

  // when the first image was on the screen, and the panel filled, in ms since the page was asked for
  window.paTimes = {};
  const SEEN = {
    image: () => window.paImage() !== null,
    panel: () => document.querySelector('[data-pa="panel"][data-state="ready"] [data-pa="finding"]') !== null,
    documents: () => document.querySelector('[data-cy="study-browser-thumbnail-no-image"]') !== null,
  };
  const look = () => {
    for (const [name, seen] of Object.entries(SEEN)) if (!(name in window.paTimes) && seen()) window.paTimes[name] = performance.now();
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
