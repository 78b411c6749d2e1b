/** Which form of the panel is open: one at most. Keys and buttons open the same ones. */
import { findingOf, mayReview, reviewOf } from '../store/derived';
import { store } from '../store/store';
import { Observed } from './observed';

export type Form = 'reject' | 'edit' | 'add';

export const openedForm = new Observed<Form | null>(null);

/** Opens a form; `reject` and `edit` want a selected finding. Returns whether one is open. */
export function openForm(form: Form): boolean {
  const session = store.get();
  if (!mayReview(session) || !session.answer?.result) return false;
  const fitting = fittingForm(form);
  if (fitting === null) return false;
  openedForm.set(fitting);
  return true;
}

/** Closes the open form; returns whether there was one. */
export function closeForm(): boolean {
  const open = openedForm.get() !== null;
  openedForm.set(null);
  return open;
}

/** What the model rated absent cannot be rejected, and is edited by adding it on a slice. Null: there is nothing to do. */
function fittingForm(form: Form): Form | null {
  const session = store.get();
  if (form === 'add') return form;
  const finding = findingOf(session, session.selected);
  if (finding === null) return null;
  if (finding.presence !== 'absent') return form;
  if (form === 'reject') return null;
  return reviewOf(session, finding.key)?.edited ? 'edit' : 'add';
}
