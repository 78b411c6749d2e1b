import { act, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import staging from '../api/fixtures/staging.json';
import type { Finding, Result } from '../api/types';
import { setLanguage } from '../i18n';
import { slicesRead } from '../store/series';
import * as point from '../viewport/point';
import { result, STATES } from './everyState';
import { eachTestOnItsOwn, expectAccessible, head, part, row, show } from './rendering.testing';

eachTestOnItsOwn();

const { job_id, run, created_at, objects } = result;
const staged = { job_id, run, created_at, objects, ...staging } as unknown as Result;

function showStaged(change: Partial<Result> = {}): HTMLElement {
  const { answer } = STATES.ready;
  return show('ready', { answer: answer && { ...answer, result: { ...staged, ...change } } });
}

function levels(): string[] {
  return [...document.querySelectorAll('[data-pa="finding"]')].map((each) => {
    return `${each.querySelector('.pa-name')?.textContent}: ${part('level', each).textContent}`;
  });
}

function without(...keys: string[]): Finding[] {
  return staged.findings.filter(({ key }) => !keys.includes(key));
}

it('is read in the order of staging, each item by its level, those that are absent among them', async () => {
  const panel = showStaged({ findings: [...staged.findings].reverse() });
  expect(levels()).toEqual([
    'Rectal tumour: present',
    'Location: middle third',
    'Peritoneal involvement: free',
    'T stage: T3',
    'Circumferential resection margin: involved',
    'Anal sphincter involvement: free',
    'Mesorectal lymph nodes: Uncertain',
  ]);
  expect(row('crm').querySelector('.pa-words')?.textContent).toBe('involved 90 % · 0.8 mm');
  expect(row('nodes').querySelector('.pa-words')?.textContent).toBe('Uncertain · suspicious 52 %');
  expect(row('peritoneum').querySelector('.pa-words')?.textContent).toBe('involved 3 %');
  expect(row('t_stage').querySelector('.pa-words')?.textContent).toBe('T3 87 %');
  expect(() => part('fold-absent')).toThrow();
  await expectAccessible(panel);
});

it('says what is not assessed, and that most items are not without a tumour', () => {
  showStaged();
  expect(part('not-assessed').textContent).toBe('Not assessed: Extramural vascular invasion');
});

it('says that without a tumour most items are not assessed', () => {
  const none = without('location', 'peritoneum', 't_stage', 'crm', 'sphincter').map((each) =>
    each.key === 'tumour' ? { ...each, presence: 'absent' as const, evidence: [] } : each,
  );
  showStaged({ findings: none, distances: [] });
  expect(levels()[0]).toBe('Rectal tumour: none seen');
  expect(part('not-assessed').textContent).toMatch(/^Without a tumour not assessed: Location, Peritoneal .* invasion$/);
});

it('leads to the middle of a distance, on the slice on which it was measured, by the keyboard too', async () => {
  const showDistance = vi.spyOn(point, 'showDistance').mockResolvedValue(true);
  const [distance] = staged.distances!;
  showStaged();
  act(() => head('crm').click());
  const line = part('distance', row('crm'));
  expect(line.textContent).toBe('Distance to the mesorectal fascia 0.8 mm');
  expect(line.getAttribute('aria-label')).toMatch(/0\.8 mm\. To where it was measured, Ax T2$/);
  line.focus();
  await userEvent.setup().keyboard('{Enter}');
  expect(showDistance).toHaveBeenLastCalledWith(slicesRead(staged)[distance!.index!], distance!.ends_mm);
});

it('leads to the distance where it is not known at which point an item is strongest', () => {
  const showDistance = vi.spyOn(point, 'showDistance').mockResolvedValue(true);
  const findings = staged.findings.map((finding) => ({
    ...finding,
    evidence: finding.evidence.map((each) => ({ ...each, peak_mm: null, peak_px: null })),
  }));
  showStaged({ findings });
  act(() => head('crm').click());
  expect(showDistance).toHaveBeenCalledOnce();
});

it('has one small picture of each series it rests on, which names the series and leads to its slice', () => {
  const showPoint = vi.spyOn(point, 'showPoint').mockResolvedValue(true);
  showStaged();
  act(() => head('tumour').click());
  const thumbs = [...row('tumour').querySelectorAll<HTMLElement>('[data-pa="thumb"]')];
  expect(thumbs.map((thumb) => thumb.querySelector('.pa-thumb-where')?.textContent).sort()).toEqual(['Ax DWI b800', 'Ax T2', 'Sag T2']);
  const sagittal = thumbs.find((thumb) => thumb.textContent.includes('Sag T2'))!;
  expect(sagittal.title).toBe('sagittal · T2 · t2_tse_sag. Slice 2, 4 mm, weight 89 %');
  act(() => sagittal.click());
  expect(showPoint).toHaveBeenLastCalledWith(expect.objectContaining({ sop_instance_uid: sagittal.dataset['sop'] }), [4, 8, 8]);
});

it('has low strips of the series it rests on, and those of the others in a fold', () => {
  showStaged();
  act(() => head('tumour').click());
  const open = row('tumour').querySelector('.pa-axes')!;
  expect(open.getAttribute('data-low')).toBe('true');
  const fold = part('fold-other-series', open);
  expect(fold.querySelector('summary')?.textContent).toBe('Other series read (3)');
  expect(within(open as HTMLElement).getAllByText(/·/).length).toBe(6);
  expect(fold.querySelectorAll('[data-pa="strip-of-series"]')).toHaveLength(3);
});

it('offers no heat where there is none', () => {
  showStaged();
  act(() => head('tumour').click());
  expect(() => part('wash')).toThrow();
});

it('speaks German', () => {
  setLanguage('de');
  showStaged();
  expect(levels().slice(0, 4)).toEqual([
    'Rektumtumor: vorhanden',
    'Lage: mittleres Drittel',
    'Befall des Peritoneums: frei',
    'T-Stadium: T3',
  ]);
  act(() => head('crm').click());
  expect(part('distance', row('crm')).textContent).toBe('Abstand zur mesorektalen Faszie 0,8 mm');
  expect(part('not-assessed').textContent).toBe('Nicht beurteilt: Extramurale Gefäßinvasion');
});
