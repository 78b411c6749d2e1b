/** Two studies opened in turn without loading the page again: MB of JavaScript heap after each switch. */
const MIB = 1 << 20;

export default async function heap({ given, user, ask }) {
  const viewer = await user({
    before: async (page) => {
      if (!given.plugin) await page.route('**/plugins/**', (route) => route.abort());
    },
  });
  const mode = given.plugin ? 'pacs-agent' : 'viewer';
  await viewer.logIn(given.account);
  await viewer.open(given.studies[0], { mode });
  const session = await viewer.page.context().newCDPSession(viewer.page);
  const heap_mib = [];
  for (let at = 1; at <= given.switches; at += 1) {
    await switchTo(viewer, mode, given.studies[at % given.studies.length]);
    if (given.plugin) await viewer.panel();
    if (at % given.every !== 0) continue;
    heap_mib.push(await used(session));
    await ask('measured', heap_mib.at(-1));
  }
  return { heap_mib };
}

/** Over the study list, as a reader goes; the page stays. */
async function switchTo(viewer, mode, study) {
  await go(viewer.page, '/');
  await viewer.page.waitForFunction(() => !window.cornerstone.getRenderingEngines()?.some((each) => each.getViewports().length));
  await go(viewer.page, `/${mode}?StudyInstanceUIDs=${study}`);
  await viewer.imageShown();
}

async function go(page, address) {
  await page.evaluate((to) => {
    history.pushState(null, '', to);
    dispatchEvent(new PopStateEvent('popstate'));
  }, address);
}

async function used(session) {
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return usedSize / MIB;
}
