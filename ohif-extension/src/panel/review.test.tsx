/** What a reader does, with the mouse and with the keyboard alone. */
import { act, screen, within } from '@testing-library/react';
import userEvent, { type UserEvent } from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import * as actions from '../store/actions';
import { store } from '../store/store';
import * as navigate from '../viewport/navigate';
import * as walk from '../viewport/walk';
import { STATES, strongest } from './everyState';
import { openForm } from './form';
import { eachTestOnItsOwn, head, part, row, show } from './rendering.testing';

eachTestOnItsOwn();

const KEY = 'pleural_effusion';
const answerOf = (key: string) => store.get().draft.findings[key];
let user: UserEvent;

beforeEach(() => {
  user = userEvent.setup({ delay: null, pointerEventsCheck: 0 });
});

describe('a finding', () => {
  it('opens by a click, and its strongest slice is shown', async () => {
    show('ready');
    await user.click(head(KEY));
    expect(store.get().selected).toBe(KEY);
    expect(head(KEY).getAttribute('aria-expanded')).toBe('true');
    expect(navigate.jumpTo).toHaveBeenLastCalledWith(strongest.evidence[0]?.sop_instance_uid, undefined);
  });

  it('is accepted, taken back, and not accepted by opening', async () => {
    show('selected');
    expect(answerOf(KEY)).toBeUndefined();
    await user.click(part('accept'));
    expect(answerOf(KEY)).toEqual({ finding: KEY, action: 'accepted' });
    expect(part('handled', row(KEY)).textContent).toContain('Accepted');
    expect(part('announced').textContent).toBe('Pleural effusion: Accepted');
    await user.click(part('undo'));
    expect(answerOf(KEY)).toBeUndefined();
  });

  it('steps along its evidence and jumps to a thumbnail', async () => {
    show('selected');
    await user.click(part('next'));
    expect(walk.stepEvidence).toHaveBeenLastCalledWith(1);
    const second = strongest.evidence[1]!.sop_instance_uid;
    await user.click(document.querySelector(`[data-pa="thumb"][data-sop="${second}"]`)!);
    expect(navigate.jumpTo).toHaveBeenLastCalledWith(second, undefined);
    expect(screen.getByText('Evidence slice 1 of 3')).toBeTruthy();
  });

  it('is walked along by the keys of a slider, which the viewer does not get', async () => {
    const toViewer = vi.fn();
    document.addEventListener('keydown', toViewer);
    show('selected');
    part('axis').focus();
    const now = Number(part('axis').getAttribute('aria-valuenow'));
    await user.keyboard('{Home}');
    const top = [...STATES.ready.answer!.result!.series.slices].sort((a, b) => b.z_mm - a.z_mm)[0];
    expect(now).toBeGreaterThan(1);
    expect(navigate.jumpTo).toHaveBeenLastCalledWith(top?.sop_instance_uid, undefined);
    expect(toViewer).not.toHaveBeenCalled();
    document.removeEventListener('keydown', toViewer);
  });
});

describe('rejecting', () => {
  it('needs a reason', async () => {
    show('selected');
    await user.click(part('reject'));
    expect(answerOf(KEY)).toBeUndefined();
    await user.click(part('reason-other'));
    await user.type(part('reason-text'), '   {Enter}');
    expect(answerOf(KEY)).toBeUndefined();
    await user.click(screen.getByRole('button', { name: 'Artefact' }));
    expect(answerOf(KEY)).toEqual({ finding: KEY, action: 'rejected', reason: 'artifact' });
    expect(part('handled', row(KEY)).textContent).toContain('Rejected Artefact · not saved');
  });

  it('takes a reason in own words', async () => {
    show('selected');
    act(() => void openForm('reject'));
    await user.type(part('reason-text'), 'breathing 3{Enter}');
    expect(answerOf(KEY)).toEqual({ finding: KEY, action: 'rejected', reason: 'breathing 3' });
  });

  it('goes by digits, and the focus comes back to the finding', async () => {
    show('selected');
    act(() => void openForm('reject'));
    expect(document.activeElement?.textContent).toContain('Not there');
    await user.keyboard('{ArrowDown}{ArrowDown}5');
    expect(answerOf(KEY)?.reason).toBe('wrong_place');
    expect(document.activeElement).toBe(head(KEY));
  });

  it('is left by Escape without a trace', async () => {
    show('selected');
    act(() => void openForm('reject'));
    await user.keyboard('{Escape}');
    expect(answerOf(KEY)).toBeUndefined();
    expect(document.activeElement).toBe(head(KEY));
  });

  it('is not for what the model rated absent', () => {
    show('ready', { selected: 'hiatal_hernia' });
    expect(openForm('reject')).toBe(false);
  });
});

describe('editing', () => {
  it('begins with what the model says and keeps what is changed', async () => {
    show('selected');
    await user.click(part('edit'));
    const form = within(part('edit-form'));
    expect(form.getByRole('radio', { name: 'Present' })).toHaveProperty('checked', true);
    await user.click(form.getByRole('checkbox', { name: 'right' }));
    await user.click(form.getByRole('radio', { name: 'large' }));
    await user.type(part('comment'), 'older than it looks');
    await user.click(part('apply'));
    expect(answerOf(KEY)?.edited).toEqual({
      presence: 'present',
      sides: ['left'],
      lobes: [],
      grade: 2,
      count: null,
      comment: 'older than it looks',
    });
  });

  it('is brought into view', async () => {
    const scrolled = vi.spyOn(Element.prototype, 'scrollIntoView');
    show('selected');
    await user.click(part('edit'));
    expect(scrolled.mock.contexts).toContain(part('edit-form'));
  });

  it('says of what is absent nothing more', async () => {
    show('selected');
    await user.click(part('edit'));
    await user.click(screen.getByRole('radio', { name: 'Absent' }));
    await user.click(part('apply'));
    expect(answerOf(KEY)?.edited).toEqual({
      presence: 'absent',
      sides: [],
      lobes: [],
      grade: null,
      count: null,
      comment: '',
    });
  });

  it('keeps sides and lobes together', async () => {
    show('ready', { selected: 'atelectasis' });
    await user.click(part('edit'));
    await user.click(screen.getByRole('checkbox', { name: 'right lower lobe' }));
    await user.click(part('apply'));
    expect(answerOf('atelectasis')?.edited).toMatchObject({ sides: ['left'], lobes: ['left lower lobe'] });
  });
});

describe('adding', () => {
  it('puts a missed finding on the slice on display', async () => {
    show('selected');
    await user.click(part('add'));
    await user.selectOptions(part('missed'), 'emphysema');
    await user.click(screen.getByRole('radio', { name: 'severe' }));
    await user.click(part('apply'));
    expect(answerOf('emphysema')).toMatchObject({
      action: 'added',
      edited: { presence: 'present', grade: 2 },
      slice: { sop_instance_uid: strongest.evidence[0]?.sop_instance_uid },
    });
    expect(screen.getByRole('list', { name: 'Findings to be handled' }).contains(row('emphysema'))).toBe(true);
  });

  it('wants a slice', async () => {
    show('ready');
    await user.click(part('add'));
    expect(part('add-form').textContent).toContain('Show the slice with the finding first');
    await user.click(part('apply'));
    expect(store.get().draft.findings).toEqual({});
  });

  it('is how an absent finding is edited', () => {
    show('ready', { selected: 'hiatal_hernia' });
    act(() => void openForm('edit'));
    expect(part('missed')).toHaveProperty('value', 'hiatal_hernia');
  });
});

describe('the keyboard', () => {
  it('reaches one finding by Tab and the others by arrows', async () => {
    show('ready');
    const heads = [...document.querySelectorAll<HTMLElement>('.pa-finding-head')];
    expect(heads.filter((each) => each.tabIndex === 0)).toEqual([head('lung_nodule')]);
    act(() => head('lung_nodule').focus());
    await user.keyboard('{ArrowDown}');
    expect(document.activeElement).toBe(head('pleural_effusion'));
    expect(head('pleural_effusion').tabIndex).toBe(0);
    await user.keyboard('{End}');
    expect(document.activeElement).toBe(head('pulmonary_fibrotic_sequela'));
    await user.keyboard('{Enter}');
    expect(store.get().selected).toBe('pulmonary_fibrotic_sequela');
  });

  it('walks over the sentences and goes to a finding from one', async () => {
    show('ready');
    const sentences = [...document.querySelectorAll<HTMLElement>('[data-pa="sentence"]')];
    expect(sentences.filter((each) => each.tabIndex === 0)).toHaveLength(1);
    act(() => sentences[0]!.focus());
    expect(row('lung_nodule').dataset['hinted']).toBe('true');
    await user.keyboard('{ArrowDown}{Enter}');
    expect(store.get().selected).toBe('lung_opacity');
  });

  it('follows a finding that was selected by a key only when it was in the list', () => {
    show('ready');
    act(() => head('lung_nodule').focus());
    act(() => actions.select(KEY));
    expect(document.activeElement).toBe(head(KEY));
    act(() => part('save').focus());
    act(() => actions.select('atelectasis'));
    expect(document.activeElement).toBe(part('save'));
  });
});
