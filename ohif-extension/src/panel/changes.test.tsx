import { act } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import sincePrior from '../api/fixtures/since-prior.json';
import type { Result, SincePrior } from '../api/types';
import { setLanguage } from '../i18n';
import * as navigate from '../viewport/navigate';
import { result, STATES } from './everyState';
import { eachTestOnItsOwn, expectAccessible, head, part, row, show } from './rendering.testing';

eachTestOnItsOwn();

const since = sincePrior as SincePrior;
const [gone, larger] = [since.findings[1]!.finding, since.findings[2]!.finding];

function showCompared(since_prior: SincePrior | null): HTMLElement {
  const { answer } = STATES.ready;
  const compared: Result = { ...result, since_prior };
  return show('ready', { answer: answer && { ...answer, result: compared } });
}

it('says what changed with the date of the prior, and leads to its slice where that is open', async () => {
  vi.spyOn(navigate, 'isOpen').mockReturnValue(true);
  const panel = showCompared(since);
  act(() => head(larger).click());
  const line = part('change', row(larger));
  expect(line.textContent).toBe('larger than on May 3, 2026 · 420 mL, then 300 mL');
  act(() => line.click());
  expect(navigate.jumpTo).toHaveBeenLastCalledWith('1.2.3.4', undefined);
  await expectAccessible(panel);
});

it('leads to the slice of this study as well, where a viewport has it', async () => {
  vi.spyOn(navigate, 'isOpen').mockReturnValue(true);
  vi.spyOn(navigate, 'isInView').mockReturnValue(true);
  showCompared(since);
  act(() => head(larger).click());
  const now = since.findings[2]!.slices[0]!.sop_instance_uid;
  act(() => part('change', row(larger)).click());
  await vi.waitFor(() => expect(navigate.jumpTo).toHaveBeenLastCalledWith(now, undefined));
  expect(navigate.jumpTo).toHaveBeenCalledWith('1.2.3.4', undefined);
});

it('has words alone where the prior is not open', () => {
  showCompared(since);
  act(() => head(gone).click());
  expect(part('changes', row(gone)).textContent).toBe('present on May 3, 2026, not found now');
  expect(() => part('change', row(gone))).toThrow();
});

it('speaks the language of the reader', () => {
  setLanguage('de');
  showCompared(since);
  act(() => head(larger).click());
  expect(part('changes', row(larger)).textContent).toBe('größer als am 03.05.2026 · 420 ml, damals 300 ml');
});

it('says why nothing is compared', () => {
  showCompared({ ...since, findings: [], not_compared: 'It was read by m 1.' });
  expect(part('not-compared').textContent).toBe('Not compared with the prior study of May 3, 2026. It was read by m 1.');
});

it('names no date of a study that may be of somebody else', () => {
  showCompared({ ...since, prior_study_date: null, findings: [], not_compared: 'In doubt.' });
  expect(part('not-compared').textContent).toBe('In doubt.');
});

it('takes no room where there is no prior', () => {
  showCompared(null);
  act(() => head(larger).click());
  expect(() => part('changes')).toThrow();
  expect(() => part('not-compared')).toThrow();
});
