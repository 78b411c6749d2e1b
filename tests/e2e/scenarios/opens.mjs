/** A study opens: its first image is shown, and the panel fills. What is seen is given back. */
import { findingRows } from '../browser/panel.mjs';

export default async function opens({ given, user }) {
  const viewer = await user({ language: given.language });
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  const state = await viewer.panel();
  return {
    state,
    findings: await findingRows(viewer),
    panel: await viewer.part('panel').innerText(),
    slice: await viewer.slice(),
    values: await viewer.values(given.points ?? []),
  };
}
