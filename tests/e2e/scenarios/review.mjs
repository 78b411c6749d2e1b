/** One finding rejected, one edited, the others accepted, one added, the text changed; a reload in between; verified. */
import { accept, add, choose, edit, findingRows, handled, press, reject, row, says, stickingOut } from '../browser/panel.mjs';

export default async function review({ given, user }) {
  const viewer = await user();
  await viewer.logIn(given.account);
  await viewer.open(given.study);
  await viewer.panel();
  const before = await findingRows(viewer);
  await rejectAndReload(viewer, given);
  await choose(viewer, given.edited.key, given.edited.slice);
  await edit(viewer, given.edited.key, { comment: given.edited.comment });
  const barred = await viewer.part('verify').getAttribute('aria-disabled');
  for (const { key, slice } of given.accepted) {
    await choose(viewer, key, slice);
    await accept(viewer, key);
  }
  const out = await stickingOut(viewer);
  const slice = await viewer.sliceAfter(() => viewer.page.keyboard.press(']'));
  const added = { finding: given.added.key, slice };
  await add(viewer, given.added.key, given.added.comment);
  const text = await changeText(viewer, given.sentence);
  await press(viewer, 'verify');
  const mark = await says(viewer, 'mark', /Verified by/);
  const saved = await says(viewer, 'saved', /Version 1/);
  return { before, barred, out, added, text, mark, saved };
}

/** What was not saved is there again after the page was loaded anew. */
async function rejectAndReload(viewer, { rejected }) {
  await choose(viewer, rejected.key, rejected.slice);
  await reject(viewer, rejected.key, rejected.reason);
  await viewer.page.reload({ waitUntil: 'domcontentloaded' });
  await viewer.imageShown();
  await viewer.panel();
  await handled(viewer, rejected.key, 'rejected');
  await row(viewer, rejected.key).waitFor();
}

async function changeText(viewer, sentence) {
  await press(viewer, 'edit-text');
  const field = viewer.part('text');
  const text = `${await field.inputValue()}\n${sentence}`;
  await field.fill(text);
  await field.blur();
  return text;
}
