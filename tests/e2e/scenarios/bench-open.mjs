/** A study opens in a fresh browser: ms from the first image to the filled panel, or to the SRs that OHIF alone lists. */
export default async function open({ given, user }) {
  const viewer = await user({ before: (page) => leaveOut(page, given.plugin) });
  await viewer.logIn(given.account);
  await viewer.open(given.study, { mode: given.plugin ? 'pacs-agent' : 'viewer' });
  const last = given.plugin ? 'panel' : 'documents';
  await viewer.page.waitForFunction((name) => name in window.paTimes, last);
  const times = await viewer.page.evaluate(() => window.paTimes);
  return { image_ms: times.image, filled_ms: Math.max(0, times[last] - times.image) };
}

async function leaveOut(page, plugin) {
  if (!plugin) await page.route('**/plugins/**', (route) => route.abort());
}
