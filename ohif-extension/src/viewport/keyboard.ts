/** Listens to the keys of `keys.ts` and does what they stand for. */
import { closeForm, openForm } from '../panel/form';
import type { ViewportServices } from '../ohif/types';
import { accept, save, select, undo } from '../store/actions';
import { mayReview, sortedFindings } from '../store/derived';
import { store } from '../store/store';
import { nextFinding } from './evidence-order';
import { entryOf, type KeyAction, type KeyEntry } from './keys';
import { isMarked, unmark } from './point';
import { primaryTool } from './services';
import { stepEvidence } from './walk';

/** Where typing means text, or a choice among options. */
const TEXT = 'input:not([type="range"], [type="checkbox"], [type="radio"], [type="button"]), textarea, select, [contenteditable=""], [contenteditable="true"]';
/** What OHIF opens over the images, and what it does with keys is its own affair. */
const DIALOG = '[role="dialog"], [role="alertdialog"], [role="menu"], [role="listbox"]';
const OPACITY_STEP = 0.1;

/** Listens until the returned function is called. Keys reach us before OHIF's own hotkeys. */
export function listenToKeys(services: ViewportServices): () => void {
  const onKey = (event: KeyboardEvent): void => {
    const entry = entryOf(strokeOf(event));
    if (entry === null || event.isComposing || !isOurs(event, entry, services)) return;
    if (!ACTIONS[entry.action]()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  window.addEventListener('keydown', onKey, { capture: true });
  return () => window.removeEventListener('keydown', onKey, { capture: true });
}

/** What each key does. True when there was something to do; else the key is left to OHIF. */
const ACTIONS: Readonly<Record<KeyAction, () => boolean>> = {
  previousEvidence: () => step(-1),
  nextEvidence: () => step(1),
  previousFinding: () => selectNext(-1),
  nextFinding: () => selectNext(1),
  accept: () => withSelected(accept),
  reject: () => openForm('reject'),
  edit: () => openForm('edit'),
  undo: () => withSelected(undo),
  add: () => openForm('add'),
  heat: () => changeWash((wash) => ({ ...wash, on: !wash.on })),
  fainter: () => changeWash((wash) => ({ on: true, opacity: tenths(wash.opacity - OPACITY_STEP) })),
  stronger: () => changeWash((wash) => ({ on: true, opacity: tenths(wash.opacity + OPACITY_STEP) })),
  save: () => saved(false),
  verify: () => saved(true),
  sheet: () => openSheet(!store.get().sheet),
  close: () => (store.get().sheet ? openSheet(false) : closeForm() || unmark()),
};

function step(direction: 1 | -1): boolean {
  if (!hasResult()) return false;
  void stepEvidence(direction);
  return true;
}

function selectNext(direction: 1 | -1): boolean {
  const { answer, selected } = store.get();
  const key = answer?.result ? nextFinding(sortedFindings(answer.result), selected, direction) : null;
  if (key === null) return false;
  closeForm();
  select(key);
  return true;
}

function withSelected(act: (key: string) => void): boolean {
  const session = store.get();
  if (session.selected === null || !mayReview(session)) return false;
  closeForm();
  act(session.selected);
  return true;
}

function saved(verify: boolean): boolean {
  if (!hasResult()) return false;
  void save(verify);
  return true;
}

function changeWash(change: (wash: { on: boolean; opacity: number }) => { on: boolean; opacity: number }): boolean {
  if (!hasResult() || store.get().answer?.result?.has_heat === false) return false;
  store.set({ wash: change(store.get().wash) });
  return true;
}

function openSheet(sheet: boolean): boolean {
  store.set({ sheet });
  return true;
}

function hasResult(): boolean {
  return (store.get().answer?.result ?? null) !== null;
}

/** Tenths, from the faintest that can be seen to what hides the image. */
function tenths(opacity: number): number {
  return Math.min(1, Math.max(OPACITY_STEP, Math.round(opacity * 10) / 10));
}

/** Not while somebody types, uses a dialog of OHIF's, or holds a brush that has the same key. */
function isOurs(event: KeyboardEvent, entry: KeyEntry, services: ViewportServices): boolean {
  const target = event.composedPath()[0];
  if (store.get().sheet && entry.action !== 'sheet' && entry.action !== 'close') return false;
  const [inText, inOurs] = [within(target, TEXT), within(target, '.pa-root, [data-pa]')];
  if (entry.action === 'close') return store.get().sheet || (!inText && (inOurs || (isMarked() && !isDialogOpen())));
  if (inText || (!inOurs && isDialogOpen())) return false;
  return !(entry.yieldsToBrush && holdsBrush(services));
}

function within(target: EventTarget | undefined, selector: string): boolean {
  return target instanceof Element && target.closest(selector) !== null;
}

function isDialogOpen(): boolean {
  return [...document.querySelectorAll(DIALOG)].some((dialog) => dialog.closest('.pa-root, [data-pa]') === null && isVisible(dialog));
}

function isVisible(element: Element): boolean {
  return element.getClientRects().length > 0;
}

function holdsBrush({ servicesManager }: ViewportServices): boolean {
  const { toolGroupService, viewportGridService } = servicesManager.services;
  const viewportId = viewportGridService?.getActiveViewportId() ?? '';
  return /brush|eraser/i.test(primaryTool(toolGroupService, viewportId));
}

function strokeOf(event: KeyboardEvent) {
  const { key, shiftKey, ctrlKey, altKey, metaKey, repeat } = event;
  return { key, shiftKey, ctrlKey, altKey, metaKey, repeat, altGraph: event.getModifierState('AltGraph') };
}
