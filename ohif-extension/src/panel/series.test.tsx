import { act, screen, within } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import measurements from '../api/fixtures/measurements.json';
import type { Finding, Measurements, Result, Series } from '../api/types';
import { setLanguage } from '../i18n';
import { store } from '../store/store';
import * as point from '../viewport/point';
import { result, STATES, strongest } from './everyState';
import { eachTestOnItsOwn, expectAccessible, head, part, row, show } from './rendering.testing';

eachTestOnItsOwn();

const [one, another] = result.series.slices;
const sagittal: Series = {
  ...{ series_instance_uid: '1.2.9', frame_of_reference_uid: '1.9', description: 'T2 TSE sag', plane: 'sagittal' },
  slices: [
    { ...one!, sop_instance_uid: '1.2.9.1', instance_number: 1, z_mm: -4 },
    { ...another!, sop_instance_uid: '1.2.9.2', instance_number: 2, z_mm: 4 },
  ],
};
const peak: [number, number, number] = [4, 50, 60];
/** Rests on a slice of the sagittal series, too. */
const both: Finding = {
  ...strongest,
  slice_weights: [...strongest.slice_weights, 0.1, 0.8],
  evidence: [
    ...strongest.evidence,
    { index: result.series.slices.length + 1, sop_instance_uid: '1.2.9.2', frame_number: null, weight: 1, peak_px: null, peak_mm: peak, peak_heat: 0.9 },
  ],
};
const several: Result = {
  ...result,
  further_series: [sagittal],
  findings: result.findings.map((finding) => (finding.key === both.key ? both : finding)),
};

function showSeveral(): HTMLElement {
  const { answer } = STATES.ready;
  return show('ready', { answer: answer && { ...answer, result: several } });
}

function axes(): HTMLElement[] {
  return within(row(both.key)).getAllByRole('slider', { name: /Evidence|Belege/ });
}

it('has one strip for each series on which a finding rests, named by plane and description', async () => {
  const panel = showSeveral();
  act(() => head(both.key).click());
  expect(axes().map((axis) => axis.getAttribute('aria-label'))).toEqual([
    `axial · ${result.series.description}. Evidence along the slices, from head to foot`,
    'sagittal · T2 TSE sag. Evidence along the slices, from left to right',
  ]);
  expect(screen.getByText('sagittal · T2 TSE sag')).toBeTruthy();
  await expectAccessible(panel);
});

it('says of a slice of the second series its own number, place and weight', () => {
  showSeveral();
  act(() => head(both.key).click());
  act(() => store.set({ current: { sopInstanceUid: '1.2.9.2', frame: null } }));
  expect(axes()[1]!.getAttribute('aria-valuetext')).toBe('Slice 2, 4 mm, weight 80 %');
  expect(axes()[0]!.getAttribute('aria-valuetext')).toBe('another series is shown');
});

it('leads to the point of what is pressed: a finding, a small picture, a region', () => {
  const showPoint = vi.spyOn(point, 'showPoint').mockResolvedValue(true);
  const { answer } = STATES.ready;
  const measured = { ...several, measurements: measurements as unknown as Measurements };
  show('ready', { answer: answer && { ...answer, result: measured } });
  act(() => head(both.key).click());
  expect(showPoint).toHaveBeenLastCalledWith(expect.objectContaining({ sop_instance_uid: '1.2.9.2' }), peak);
  act(() => document.querySelectorAll<HTMLElement>('[data-pa="thumb"]')[1]!.click());
  expect(showPoint).toHaveBeenLastCalledWith(expect.objectContaining({ index: strongest.evidence[0]!.index }), strongest.evidence[0]!.peak_mm);
  act(() => head('lung_nodule').click());
  act(() => part('region', row('lung_nodule')).click());
  const [from, to] = measured.measurements.regions[1]!.diameter_ends_mm!;
  const middle = showPoint.mock.lastCall![1]!;
  for (const axis of [0, 1, 2] as const) expect(middle[axis]).toBeCloseTo((from[axis] + to[axis]) / 2, 6);
});

it('names nothing where one series was read', () => {
  show('ready');
  act(() => head(strongest.key).click());
  expect(axes().map((axis) => axis.getAttribute('aria-label'))).toEqual(['Evidence along the slices, from head to foot']);
  expect(part('strip-of-series').textContent).not.toContain('axial');
});

it('speaks the language of the reader', () => {
  setLanguage('de');
  showSeveral();
  act(() => head(both.key).click());
  expect(axes()[1]!.getAttribute('aria-label')).toBe('sagittal · T2 TSE sag. Belege entlang der Schichten, von links nach rechts');
});
