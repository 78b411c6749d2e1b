/** A study opens: its first image is shown, and the panel fills. What is seen is given back. */
import { findingRows } from '../browser/panel.mjs';

export default async function opens({ given, user }) {
  const viewer = await user({ language: given.language });
  await viewer.logIn(given.account);
  await viewer.open(given.study, given.how);
  const state = await viewer.panel('ready');
  return { state, findings: await findingRows(viewer), slice: await viewer.slice() };
}
