import { expect, it } from 'vitest';
import fixture from '../api/fixtures/answer.json';
import type { Result, StudyAnswer } from '../api/types';
import { byPlace, evidencePlaces, findingsShown, nextFinding, nextPlace, weightsShown } from './evidence-order';

const result: Result = (fixture as unknown as StudyAnswer).result!;
const finding = (key: string) => result.findings.find((each) => each.key === key)!;
const footFirst = result.series.slices.map((_, index) => index);
const headFirst = footFirst.toReversed();

it('walks along the wheel, whichever way it turns', () => {
  expect(evidencePlaces([finding('lung_nodule')], footFirst)).toEqual([39, 45, 70]);
  expect(evidencePlaces([finding('lung_nodule')], headFirst)).toEqual([19, 44, 50]);
});

it('leaves out slices that the viewport lacks, and counts a slice of two findings once', () => {
  const places = footFirst.map((place) => (place === 45 ? -1 : place));
  expect(evidencePlaces([finding('lung_nodule'), finding('pleural_effusion')], places)).toEqual([38, 39, 44, 70]);
});

it('walks round, and starts at an end from another series', () => {
  const evidence = [19, 44, 50];
  expect([nextPlace(evidence, 19, 1), nextPlace(evidence, 30, 1), nextPlace(evidence, 50, 1)]).toEqual([44, 44, 19]);
  expect([nextPlace(evidence, 44, -1), nextPlace(evidence, 30, -1), nextPlace(evidence, 19, -1)]).toEqual([19, 19, 50]);
  expect([nextPlace(evidence, -1, 1), nextPlace(evidence, -1, -1), nextPlace([], 3, 1)]).toEqual([19, 50, null]);
});

it('shows the selected finding, else those that stand', () => {
  expect(findingsShown(result, 'emphysema').map(({ key }) => key)).toEqual(['emphysema']);
  expect(findingsShown(result, null).some(({ presence }) => presence === 'absent')).toBe(false);
  expect(weightsShown(result, 'lung_nodule')).toEqual(finding('lung_nodule').slice_weights);
  const present = result.findings.filter(({ presence }) => presence === 'present');
  expect(weightsShown(result, null)[44]).toBe(Math.max(...present.map((each) => each.slice_weights[44]!)));
});

it('puts weights at their places on the wheel', () => {
  expect(byPlace([0.1, 0.2, 0.3], [2, 0, -1], 4)).toEqual([0.2, null, 0.1, null]);
});

it('goes from finding to finding and stays at the ends', () => {
  const [first, second] = result.findings;
  const last = result.findings.at(-1)!;
  expect(nextFinding(result.findings, null, 1)).toBe(first!.key);
  expect(nextFinding(result.findings, null, -1)).toBe(last.key);
  expect(nextFinding(result.findings, first!.key, 1)).toBe(second!.key);
  expect(nextFinding(result.findings, last.key, 1)).toBe(last.key);
  expect(nextFinding([], null, 1)).toBeNull();
});
