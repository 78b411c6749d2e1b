/** Two reviewers have one study open. Each is told of the other; the one who saves second is refused, and told why. */
import { accept, choose, press, reject, says } from '../browser/panel.mjs';

export default async function second({ given, user }) {
  const first = await opened(await user(), given, given.accounts[0]);
  const other = await opened(await user(), given, given.accounts[1]);
  const told = {
    first: await says(first, 'others', new RegExp(given.names[1])),
    other: await says(other, 'others', new RegExp(given.names[0])),
  };
  await becomeDeaf(other);
  const { key, slice } = given.finding;
  await choose(first, key, slice);
  await accept(first, key);
  await press(first, 'save');
  await says(first, 'saved', /Version 1/);
  await choose(other, key, slice);
  await reject(other, key, 'not_there');
  await press(other, 'save');
  const conflict = await says(other, 'conflict', new RegExp(given.names[0]));
  await hearAgain(other);
  await press(other, 'load-theirs');
  await other.part('conflict').waitFor({ state: 'detached' });
  await press(other, 'save');
  return { told, conflict, saved: await says(other, 'saved', /Version 2/) };
}

async function opened(viewer, given, account) {
  await viewer.logIn(account);
  await viewer.open(given.study);
  await viewer.panel();
  return viewer;
}

/** From now on the page hears no news, as on a bad line: so it saves upon what it knew. */
async function becomeDeaf(viewer) {
  await viewer.page.route('**/api/v1/studies/*/result', (route) => route.abort());
}

async function hearAgain(viewer) {
  await viewer.page.unroute('**/api/v1/studies/*/result');
}
