/** Mounts the panel in a state, in a jsdom that lacks a few things a browser has. */
import { cleanup, render } from '@testing-library/react';
import axe from 'axe-core';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { setLanguage } from '../i18n';
import { emptySession, store, type Session } from '../store/store';
import * as navigate from '../viewport/navigate';
import * as walk from '../viewport/walk';
import { STATES, type StateName } from './everyState';
import { closeForm } from './form';
import { Panel } from './Panel';

/** Each test starts in English and leaves it so, with no study open, a viewer that goes to every slice, and no picture to be had. */
export function eachTestOnItsOwn(): void {
  vi.setConfig({ testTimeout: 20_000 });
  beforeEach(() => {
    vi.spyOn(navigate, 'jumpTo').mockResolvedValue(true);
    vi.spyOn(walk, 'stepEvidence').mockResolvedValue(true);
    Element.prototype.scrollIntoView = () => undefined;
    HTMLDialogElement.prototype.showModal = function () {
      this.open = true;
    };
    HTMLDialogElement.prototype.close = function () {
      this.open = false;
    };
    HTMLCanvasElement.prototype.getContext = () => null;
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(null, { status: 404 })));
  });
  afterEach(() => {
    cleanup();
    closeForm();
    setLanguage('en'); // files share their modules
    store.set(emptySession());
  });
}

export function show(state: StateName, change: Partial<Session> = {}): HTMLElement {
  store.set({ ...emptySession(), ...STATES[state], ...change });
  return render(<Panel />).container;
}

export function part(name: string, within: ParentNode = document): HTMLElement {
  const found = within.querySelector<HTMLElement>(`[data-pa="${name}"]`);
  if (found === null) throw new Error(`nothing is marked data-pa="${name}"`);
  return found;
}

export function row(finding: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`[data-pa="finding"][data-finding="${finding}"]`);
  if (found === null) throw new Error(`no row of ${finding}`);
  return found;
}

export function head(finding: string): HTMLElement {
  return row(finding).querySelector('.pa-finding-head') as HTMLElement;
}

/** Contrast is not for jsdom, which has no layout: `contrast.test.ts` computes it from the style sheet. */
export async function expectAccessible(container: HTMLElement): Promise<void> {
  const { violations } = await axe.run(container, {
    resultTypes: ['violations'],
    rules: { 'color-contrast': { enabled: false }, region: { enabled: false } },
  });
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
}
