/** The browser contexts of one scenario: who uses the viewer, and everything their pages say and ask for. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Viewer, eyes } from './viewer.mjs';

export class Stage {
  #browser;
  #given;
  #contexts = [];
  #pages = [];

  /** What the pages did: addresses of other origins asked for, violations of the CSP, uncaught errors, console errors. */
  heard = { elsewhere: [], violations: [], errors: [], console: [] };

  constructor(browser, given) {
    this.#browser = browser;
    this.#given = given;
  }

  /**
   * A user with a browser of their own: `language` of the browser, size of the window in px, and the folder that
   * pictures go to. `before` may prepare the page (routes) before anything is loaded.
   */
  async user({ language = 'en-US', width = 1600, height = 1000, scale = 1, before } = {}) {
    const context = await this.#browser.newContext({
      locale: language,
      viewport: { width, height },
      deviceScaleFactor: scale,
      reducedMotion: 'reduce',
    });
    this.#contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    this.#pages.push(page);
    await page.addInitScript(eyes);
    await this.#listen(page);
    await before?.(page);
    return new Viewer(page, this.#given.address);
  }

  /** A picture of what was last seen, for a scenario that failed; its path. */
  async picture() {
    const page = this.#pages.at(-1);
    if (!page || !this.#given.pictures) return null;
    await mkdir(this.#given.pictures, { recursive: true });
    const file = path.join(this.#given.pictures, `failed-${Date.now()}.png`);
    try {
      await page.screenshot({ path: file, timeout: 10_000 });
    } catch {
      return null; // the page is gone: the error tells more than a picture would
    }
    return file;
  }

  async clear() {
    for (const context of this.#contexts) await context.close();
  }

  async #listen(page) {
    const own = new Set([new URL(this.#given.address).origin, ...(this.#given.origins ?? [])]);
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol.startsWith('http') && !own.has(origin)) this.heard.elsewhere.push(request.url());
    });
    page.on('pageerror', (error) => this.heard.errors.push(error.stack ?? String(error)));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      const text = message.text();
      const list = text.includes('Content Security Policy') ? this.heard.violations : this.heard.console;
      list.push(`${text} (${message.location().url})`);
    });
  }
}
