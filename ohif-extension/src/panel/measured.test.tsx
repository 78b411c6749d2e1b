import { act, screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import measurements from '../api/fixtures/measurements.json';
import type { Measurements, Result } from '../api/types';
import { setLanguage } from '../i18n';
import { jumpTo } from '../viewport/navigate';
import { result, STATES } from './everyState';
import { eachTestOnItsOwn, expectAccessible, head, part, row, show } from './rendering.testing';

eachTestOnItsOwn();

const measured: Result = { ...result, measurements: measurements as unknown as Measurements };

function showMeasured(): HTMLElement {
  const { answer } = STATES.ready;
  return show('ready', { answer: answer && { ...answer, result: measured } });
}

it('lists what was measured under its finding, and leads to the slice of the diameter', () => {
  showMeasured();
  act(() => head('lung_nodule').click());
  const line = part('region', row('lung_nodule'));
  expect(line.textContent).toBe('Lung nodule 1, left 8.4 × 6.2 mm · 0.3 mL · 22 HU');
  expect(within(row('lung_nodule')).queryByText(/not stated/)).toBeNull();
  act(() => line.click());
  expect(jumpTo).toHaveBeenLastCalledWith(measured.series.slices[42]!.sop_instance_uid, undefined);
});

it('says of what is outlined without its finding that the draft does not state it', () => {
  showMeasured();
  act(() => head('pericardial_effusion').click());
  expect(within(row('pericardial_effusion')).getByText(/Outlined, not stated in the draft/)).toBeTruthy();
});

it('keeps organs in a fold of their own', async () => {
  const panel = showMeasured();
  const organs = part('fold-organs');
  expect(organs.textContent).toContain('Lung, right 2141 mL · -812 HU');
  expect(organs.textContent).toContain('gtgm-thorax-demo 0.1.0');
  await expectAccessible(panel);
});

it('speaks the language of the reader', () => {
  setLanguage('de');
  showMeasured();
  expect(part('fold-organs').textContent).toContain('2141 ml');
});

it('takes no room where nothing was segmented', () => {
  show('ready');
  act(() => head('lung_nodule').click());
  expect(() => part('fold-organs')).toThrow();
  expect(screen.queryByText(/not stated/)).toBeNull();
});
