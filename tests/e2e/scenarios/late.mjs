/** A study is opened before it has been read; the steps are seen, and the result comes without a reload. */
import { findingRows } from '../browser/panel.mjs';

export default async function late({ given, user, ask }) {
  const viewer = await user();
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.mark();
  const first = await viewer.panel('pending');
  await viewer.watchShifts();
  await ask('the agent goes on');
  await viewer.panel('pending');
  const running = viewer.part('step', '[data-state="running"]').first();
  await running.waitFor({ timeout: 60_000 });
  const step = await running.innerText();
  await viewer.panel('ready');
  return { first, step, findings: await findingRows(viewer), same: await viewer.isMarked(), shifts: await viewer.shifts() };
}
