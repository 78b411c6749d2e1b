import { act, screen, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { setLanguage } from '../i18n';
import { store } from '../store/store';
import { STATES, type StateName } from './everyState';
import { mountPanel } from './Panel';
import { eachTestOnItsOwn, expectAccessible, head, part, row, show } from './rendering.testing';

eachTestOnItsOwn();

const names = Object.keys(STATES) as StateName[];
/** Those that have every control between them: checking takes seconds. */
const LOOKED_AT = ['pending', 'selected', 'conflict', 'text', 'sheet', 'login'] as const satisfies StateName[];

describe('every state', () => {
  it.each(LOOKED_AT)('%s is accessible', { timeout: 60_000 }, async (name) => {
    await expectAccessible(show(name));
  });

  it.each(names)('%s shows no text that is missing, in German either', (name) => {
    setLanguage('de');
    expect(show(name).textContent).not.toMatch(/\b(panel|core|viewport)\.\w|undefined|null|NaN|\{\w+\}/);
  });
});

describe('without a result', () => {
  it.each(['none', 'not_applicable', 'failed'] as const)('%s says why', (name) => {
    show(name);
    expect(part('state')).toHaveProperty('dataset.state', name);
    expect(part('state').textContent).toContain(STATES[name].answer?.reason ?? 'no answer');
  });

  it('shows the running step and how far it is', () => {
    show('pending');
    expect(screen.getByRole('progressbar', { name: /Look at each slice/ })).toHaveProperty('ariaValueNow', '42');
    const running = screen.getAllByRole('listitem').filter((step) => step.dataset['state'] === 'running');
    expect(running.map((step) => step.textContent)).toEqual([expect.stringContaining('118 of 300 slices')]);
  });

  it('leads to the login', () => {
    show('login');
    const link = screen.getByRole('link', { name: 'Log in' });
    expect(link.getAttribute('href')).toBe('/login?next=/');
    expect(link.getAttribute('target')).toBeNull();
  });

  it('opens the login of another origin in a tab of its own, so that the viewer stays', () => {
    show('login', { login: 'https://agent.example/login' });
    const link = screen.getByRole('link', { name: 'Log in' });
    expect([link.getAttribute('target'), link.getAttribute('rel')]).toEqual(['_blank', 'noopener']);
  });

  it('shows the result as soon as it is there, and says so', () => {
    show('pending');
    act(() => store.set(STATES.ready));
    expect(part('panel').dataset['state']).toBe('ready');
    expect(part('announced').textContent).toBe('An AI result is there: 6 findings to be handled');
  });
});

describe('with a result', () => {
  it('is marked as unverified, and as a demo', () => {
    show('ready');
    expect(part('mark').textContent).toContain('AI-generated, unverified');
    expect(part('mark').textContent).toContain('Demo model, learned from phantoms, not for clinical use');
  });

  it('is marked with who verified it, and stays a demo', () => {
    show('verified');
    expect(part('mark').textContent).toContain('Verified by Dr. Ada Lovelace');
    expect(part('mark').textContent).toContain('Demo model');
    expect(part('mark').textContent).not.toContain('unverified');
  });

  it('takes no review of another result for one of this', () => {
    const { answer } = STATES.verified;
    show('verified', { answer: { ...answer, review: { ...answer.review, job_id: 'another' } } });
    expect(part('mark').textContent).toContain('unverified');
    expect(row('pleural_effusion').dataset['action']).toBe('none');
  });

  it('lists what is present or uncertain by concern, and folds what is absent', () => {
    show('ready');
    const list = screen.getByRole('list', { name: 'Findings to be handled' });
    const keys = within(list)
      .getAllByRole('listitem')
      .map((each) => each.dataset['finding']);
    expect(keys).toEqual([
      'lung_nodule',
      'pleural_effusion',
      'lung_opacity',
      'coronary_artery_wall_calcification',
      'atelectasis',
      'pulmonary_fibrotic_sequela',
    ]);
    expect(part('fold-absent')).toHaveProperty('open', false);
    expect(part('fold-absent').textContent).toContain('Rated absent (12)');
  });

  it('says of a finding what, where, how likely, and from where on it counts', () => {
    show('ready');
    expect(head('pleural_effusion').textContent).toContain('Present · both sides · moderate');
    expect(within(head('atelectasis')).getByRole('img').getAttribute('aria-label')).toBe(
      'Probability 21 %, uncertain from 20 %, present from 66 %',
    );
  });

  it('accepts nothing by itself', () => {
    show('ready');
    const actions = screen.getAllByRole('listitem').map((each) => each.dataset['action']);
    expect(actions.filter((action) => action !== undefined && action !== 'none')).toEqual([]);
    expect(document.querySelector('[data-pa="handled"]')).toBeNull();
  });

  it('offers no answers to whom they are not allowed, and says why', () => {
    show('viewer', { selected: 'lung_nodule' });
    expect(
      document.querySelector('[data-pa="accept"], [data-pa="add"], [data-pa="save"], [data-pa="edit-text"]'),
    ).toBeNull();
    expect(part('foot').textContent).toContain('not review');
  });

  it('keeps the last result while the agent is away', () => {
    show('offline');
    expect(part('offline').textContent).toContain('No connection to the agent');
    expect(head('lung_nodule')).toBeTruthy();
  });

  it('shows a newer reading at work beside the older result', () => {
    show('newer');
    expect(part('newer').textContent).toContain('A newer reading is under way');
    expect(part('fold-history').textContent).toContain('superseded');
  });

  it('says first that the version of the model was recalled, and why', () => {
    show('recalled');
    const said = within(part('mark')).getByRole('alert');
    expect(said.textContent).toContain('was recalled');
    expect(said.textContent).toContain('misses nodules near the diaphragm');
  });

  it('names others who are here', () => {
    show('handled');
    expect(part('others').textContent).toContain('Dr. Grace Hopper');
  });

  it('tells what the model is for and what it learned from', () => {
    show('ready');
    expect(part('fold-model').textContent).toContain('Demonstration and software tests only');
    expect(part('fold-model').textContent).toContain('Procedurally generated thorax CT phantoms');
    expect(part('fold-model').textContent).toContain('04ea79f6e4e8');
    expect(part('fold-documents').textContent).toContain('AI result · pacs: confirmed by the destination');
  });
});

describe('the sheet of keys', () => {
  it('opens by its button and closes again', () => {
    show('ready');
    act(() => part('help').click());
    expect(screen.getByRole('dialog', { name: 'Keys' }).textContent).toContain('Shift+V');
    act(() => part('close-sheet').click());
    expect(store.get().sheet).toBe(false);
    expect(screen.queryByRole('dialog')).toBeNull();
  });
});

describe('mounting', () => {
  it('tells when something in it breaks, and comes back', () => {
    vi.spyOn(console, 'error').mockReturnValue();
    const quiet = (event: ErrorEvent): void => event.preventDefault();
    window.addEventListener('error', quiet);
    const container = document.createElement('div');
    const broken = { ...STATES.verified.answer, result: { ...STATES.verified.answer.result, series: null } };
    store.set({ ...STATES.ready, answer: broken as never });
    let unmount = (): void => undefined;
    act(() => void (unmount = mountPanel(container)));
    window.removeEventListener('error', quiet);
    expect(part('panel', container).dataset['state']).toBe('broken');
    store.set(STATES.ready);
    act(() => container.querySelector('button')?.click());
    expect(part('panel', container).dataset['state']).toBe('ready');
    act(() => unmount());
  });

  it('leaves nothing behind', () => {
    const container = document.createElement('div');
    store.set(STATES.ready);
    const watchers = store.watchers;
    let unmount = (): void => undefined;
    act(() => void (unmount = mountPanel(container)));
    expect(container.querySelector('[data-pa="panel"]')).not.toBeNull();
    expect(store.watchers).toBeGreaterThan(watchers);
    act(() => unmount());
    expect(container.innerHTML).toBe('');
    expect(store.watchers).toBe(watchers);
  });
});
