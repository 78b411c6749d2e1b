/** The admin console as a person uses it: by the words on its pages. */

export class Console {
  constructor(page, address) {
    this.page = page;
    this.address = address;
  }

  async open(path) {
    await this.page.goto(`${this.address}${path}`, { waitUntil: 'load' });
  }

  /** Fills fields by their names. */
  async fill(fields, within = this.page) {
    for (const [name, value] of Object.entries(fields)) await within.locator(`[name="${name}"]:visible`).first().fill(String(value));
  }

  /** Presses the button with these words and waits until the page that follows is there; gives what it says was done. */
  async act(words, { sure = null, within = this.page, timeout = 60_000 } = {}) {
    await within.getByRole('button', { name: words, exact: true }).first().click();
    if (sure) await this.page.locator('#confirm').getByRole('button', { name: sure, exact: true }).click();
    const said = this.page.locator('.flashes > p, .problem-here > p').first();
    await said.waitFor({ timeout });
    return (await said.textContent()).trim();
  }

  /** Waits for words in the page, which must come by themselves; nothing is loaded anew. */
  async comes(words, { timeout = 120_000, within = 'main' } = {}) {
    await this.page.locator(within).getByText(words).first().waitFor({ timeout });
  }

  /** Waits for a state among the facts of a study or job. */
  async state(word, timeout = 120_000) {
    const found = this.page.locator('main .state', { hasText: new RegExp(`^${word}$`) }).first();
    await found.waitFor({ timeout });
  }

  /** JSON of the API, asked by the page itself. */
  async json(path) {
    return this.page.evaluate(async (asked) => (await fetch(asked)).json(), path);
  }
}
