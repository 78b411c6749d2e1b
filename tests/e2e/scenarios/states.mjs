/** Studies for which there is no result: the state of the panel and its words, for each. */
export default async function states({ given, user }) {
  const viewer = await user({ language: given.language });
  await viewer.logIn(given.account);
  const seen = {};
  for (const [name, { study, state }] of Object.entries(given.studies)) {
    await viewer.open(study);
    seen[name] = { state: await viewer.panel(state), text: await viewer.part('state').innerText() };
  }
  return seen;
}
