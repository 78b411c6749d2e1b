import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import fixture from '../api/fixtures/answer.json';
import type { StudyAnswer } from '../api/types';
import { closeForm, openedForm } from '../panel/form';
import { emptySession, store } from '../store/store';
import { FakeViewer } from './fakeViewer';
import { listenToKeys } from './keyboard';

const answer = fixture as unknown as StudyAnswer;
const person = { login: 'ada', name: 'Dr. Ada', roles: ['reviewer' as const], csrf: 'x' };
const ohif = vi.fn();
let stop: () => void;

beforeEach(() => {
  ohif.mockClear();
  document.addEventListener('keydown', ohif);
  stop = listenToKeys(new FakeViewer({}).services);
  store.set({ ...emptySession('1.2.3'), answer, source: 'agent', person });
});

afterEach(() => {
  stop();
  closeForm();
  document.removeEventListener('keydown', ohif);
  document.body.replaceChildren();
  store.set(emptySession());
});

function press(key: string, target: Element = document.body, change: KeyboardEventInit = {}): void {
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, composed: true, ...change }));
}

describe('a key', () => {
  it('walks from finding to finding, in the order of the panel, and OHIF does not hear of it', () => {
    press('j');
    const first = store.get().selected;
    press('j');
    expect(store.get().selected).not.toBe(first);
    press('k');
    expect(store.get().selected).toBe(first);
    expect(ohif).not.toHaveBeenCalled();
  });

  it('switches the heat and changes its strength within bounds', () => {
    press('w');
    expect(store.get().wash.on).toBe(true);
    for (let time = 0; time < 12; time++) press('p');
    expect(store.get().wash.opacity).toBe(1);
    for (let time = 0; time < 12; time++) press('o');
    expect(store.get().wash.opacity).toBe(0.1);
    press('w');
    expect(store.get().wash.on).toBe(false);
  });

  it('accepts, takes back and opens forms for the selected finding', () => {
    store.set({ selected: 'lung_nodule' });
    press('y');
    expect(store.get().draft.findings['lung_nodule']?.action).toBe('accepted');
    press('u');
    expect(store.get().draft.findings['lung_nodule']).toBeUndefined();
    press('x');
    expect(openedForm.get()).toBe('reject');
  });

  it('opens and closes the sheet, under which no other key works', () => {
    press('?', document.body, { shiftKey: true });
    expect(store.get().sheet).toBe(true);
    press('j');
    expect(store.get().selected).toBeNull();
    press('Escape');
    expect(store.get().sheet).toBe(false);
  });
});

describe('a key is left to others', () => {
  it('in text fields', () => {
    for (const tag of ['input', 'textarea', 'select']) {
      const field = document.createElement(tag);
      document.body.append(field);
      press('w', field);
    }
    expect(store.get().wash.on).toBe(false);
    expect(ohif).toHaveBeenCalledTimes(3);
  });

  it('where there is no result, or nobody may review', () => {
    store.set({ answer: null });
    press('w');
    press('j');
    store.set({ answer, person: null, selected: 'lung_nodule' });
    press('y');
    expect(store.get().draft.findings).toEqual({});
    expect(ohif).toHaveBeenCalledTimes(3);
  });

  it('while a dialog of OHIF is open', () => {
    const dialog = document.createElement('div');
    dialog.setAttribute('role', 'dialog');
    document.body.append(dialog);
    vi.spyOn(dialog, 'getClientRects').mockReturnValue([{}] as unknown as DOMRectList);
    press('w');
    expect(store.get().wash.on).toBe(false);
  });

  it('after the mode was left', () => {
    stop();
    press('w');
    expect(store.get().wash.on).toBe(false);
  });
});
