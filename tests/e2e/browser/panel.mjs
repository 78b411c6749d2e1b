/** Our panel, as a reader uses it. */

/** The findings in the order they are shown, each with what its row says of itself. */
export async function findingRows(viewer) {
  return viewer.part('finding').evaluateAll((rows) =>
    rows.map((row) => ({ finding: row.dataset.finding, action: row.dataset.action, text: row.textContent }))
  );
}

/** The row of one finding. */
export function row(viewer, finding) {
  return viewer.part('finding', `[data-finding="${finding}"]`);
}

/** Selects a finding, which shows the slice it rests on most; the SOP Instance UID of the slice on display then. */
export async function choose(viewer, finding, top) {
  const one = row(viewer, finding);
  if ((await one.getAttribute('data-selected')) !== 'true') await one.locator('button').first().click();
  await viewer.sliceIs(top);
  return viewer.slice();
}

/** A button of the selected finding, or of the panel. */
export async function press(viewer, name, attributes = '') {
  await viewer.part(name, attributes).first().click();
}

/** Rejects the selected finding for one of the reasons offered. */
export async function reject(viewer, finding, reason) {
  await press(viewer, 'reject');
  await press(viewer, 'reason', `[data-reason="${reason}"]`);
  await handled(viewer, finding, 'rejected');
}

/** Accepts the selected finding. */
export async function accept(viewer, finding) {
  await press(viewer, 'accept');
  await handled(viewer, finding, 'accepted');
}

/** Says something else of the selected finding: another presence, and a comment. */
export async function edit(viewer, finding, { presence, comment }) {
  await press(viewer, 'edit');
  const form = viewer.part('edit-form');
  if (presence) await form.locator(`input[name="presence"][value="${presence}"]`).check({ force: true });
  await viewer.part('comment').fill(comment);
  await press(viewer, 'apply');
  await handled(viewer, finding, 'edited');
}

/** Adds a finding that the model did not see, on the slice on display. */
export async function add(viewer, finding, comment) {
  await press(viewer, 'add');
  await viewer.part('missed').selectOption(finding);
  await viewer.part('comment').fill(comment);
  await press(viewer, 'apply');
}

/** Waits until the row of a finding says what was done with it. */
export async function handled(viewer, finding, action) {
  await viewer.page
    .locator(`[data-pa="finding"][data-finding="${finding}"][data-action="${action}"]`)
    .waitFor({ state: 'attached' });
}

/** Waits until the panel's foot, or another part, has a text; all of its text. */
export async function says(viewer, name, pattern) {
  const part = viewer.part(name).filter({ hasText: pattern }).first();
  await part.waitFor({ state: 'attached' });
  return part.textContent();
}

/** Parts of the panel that stick out of it sideways: a layout that broke. */
export async function stickingOut(viewer) {
  return viewer.part('panel').evaluate((panel) => {
    const edge = panel.getBoundingClientRect().right + 1;
    const parts = [...panel.querySelectorAll('[data-pa]')].filter((part) => part.getClientRects().length > 0);
    return parts.filter((part) => part.getBoundingClientRect().right > edge).map((part) => part.dataset.pa);
  });
}
