/** Which form of the panel is open: one at most. Keys and buttons open the same ones. */
import { store } from '../store/store';
import { mayReview } from '../store/derived';
import { Observed } from './observed';

export type Form = 'reject' | 'edit' | 'add';

export const openedForm = new Observed<Form | null>(null);

/** Opens a form; `reject` and `edit` want a selected finding. Returns whether it is open. */
export function openForm(form: Form): boolean {
  const session = store.get();
  if (!mayReview(session) || session.answer?.result == null) return false;
  if (form !== 'add' && session.selected === null) return false;
  openedForm.set(form);
  return true;
}

/** Closes the open form; returns whether there was one. */
export function closeForm(): boolean {
  const open = openedForm.get() !== null;
  openedForm.set(null);
  return open;
}
