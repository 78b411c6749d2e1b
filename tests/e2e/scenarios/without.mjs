/** The plugin is absent or broken, in each of several ways: the viewer shows the study all the same. */
const WAYS = {
  absent: (route) => route.fulfill({ status: 404, body: 'not here' }),
  unreachable: (route) => route.abort(),
  throwing: (route) => route.fulfill({ contentType: 'text/javascript', body: 'throw new Error("broken")' }),
};

export default async function without({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account);
  const seen = {};
  for (const [name, answer] of Object.entries(WAYS)) {
    await viewer.page.route('**/plugins/**', answer);
    await viewer.open(given.study); // the address of our mode leads to the viewer's own
    seen[name] = { slice: await viewer.slice(), panels: await viewer.part('panel').count() };
    await viewer.page.unroute('**/plugins/**');
  }
  return seen;
}
