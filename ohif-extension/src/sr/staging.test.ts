// @vitest-environment node
import dcmjs from 'dcmjs';
import { describe, expect, it } from 'vitest';
import { isStaging } from '../store/staging';
import { resultOf, sourcesOf } from './ai-result';
import type { Dataset } from './dataset';
import { byKeyword } from './dicom-json';
import fixture from './fixtures/staged_result.json';
import { answerOf } from './reader';

const plain = byKeyword(fixture[0]);
const naturalised = dcmjs.data.DicomMetaDictionary.naturalizeDataset(fixture[0]) as Dataset;
const sources = sourcesOf(plain);

/** What a viewer knows of the images of a series; the third leans by 20 degrees. */
function headersOf(place: number, orientation: number[]): Dataset[] {
  return sources[place]!.sopInstanceUids.map((uid, index) => ({
    ...{ SOPInstanceUID: uid, SeriesDescription: `series ${place + 1}`, Modality: 'MR', InstanceNumber: index + 1 },
    ...{ Rows: 20, Columns: 30, PixelSpacing: [0.5, 0.7], ImageOrientationPatient: orientation },
    ImagePositionPatient: [4 * index, 4 * index, 4 * index],
  }));
}

const leaning = Math.PI / 9;
const headers = [
  ...headersOf(0, [1, 0, 0, 0, 1, 0]),
  ...headersOf(1, [0, 1, 0, 0, 0, -1]),
  ...headersOf(2, [1, 0, 0, 0, Math.sin(leaning), -Math.cos(leaning)]),
  ...headersOf(3, [1, 0, 0, 0, 1, 0]),
  ...headersOf(4, [1, 0, 0, 0, 1, 0]),
];

describe.each([
  ['DICOM JSON', plain],
  ['naturalised by dcmjs', naturalised],
])('staging of several series as %s', (_, dataset) => {
  const result = resultOf(dataset, headers);
  const all = [result.series, ...result.further_series!];

  it('has every series with its plane and its slices', () => {
    expect(all.map(({ plane, modality, description, slices }) => [plane, modality, description, slices.length])).toEqual([
      ['axial', 'MR', 'series 1', 6],
      ['sagittal', 'MR', 'series 2', 5],
      ['coronal', 'MR', 'series 3', 4],
      ['axial', 'MR', 'series 4', 4],
      ['axial', 'MR', 'series 5', 4],
    ]);
    expect(all[3]!.series_instance_uid).toBe(all[4]!.series_instance_uid);
    expect(all[3]!.frame_of_reference_uid).not.toBe(all[0]!.frame_of_reference_uid);
  });

  it('has the level of each item, and is known as staging', () => {
    expect(isStaging(result)).toBe(true);
    expect(result.findings.map(({ key, presence, grade_word }) => [key, presence, grade_word])).toEqual([
      ['tumour', 'present', ''],
      ['location', 'present', 'middle'],
      ['peritoneum', 'absent', ''],
      ['t_stage', 'present', 'T3'],
      ['crm', 'present', ''],
      ['sphincter', 'present', 'internal'],
      ['nodes', 'present', ''],
      ['emvi', 'absent', ''],
    ]);
  });

  it('counts the slices of evidence through all series', () => {
    const slices = all.flatMap((series) => series.slices);
    const { evidence, slice_weights } = result.findings[0]!;
    expect(slice_weights).toHaveLength(slices.length);
    expect(evidence.map(({ index }) => index)).toEqual([3, 8, 13]);
    expect(evidence.map(({ index, sop_instance_uid }) => slices[index]!.sop_instance_uid === sop_instance_uid)).toEqual([true, true, true]);
  });

  it('has the distances with their ends and the slice on which they were measured', () => {
    expect(result.distances!.map(({ finding, name, value_mm, index }) => [finding, name, value_mm, index])).toEqual([
      ['crm', 'Distance to the mesorectal fascia', 2.4, 1],
      ['tumour', 'Length of the tumour', 41.7, 7],
    ]);
    const [from, to] = result.distances![0]!.ends_mm!;
    expect(Math.hypot(...from.map((value, axis) => value - to[axis]!))).toBeCloseTo(2.4, 3);
    expect(result.measurements).toBeNull();
  });
});

it('is read with the images of all its series, each asked for once', async () => {
  const asked: string[] = [];
  const answer = await answerOf('1.2.3', [plain], (series) => {
    asked.push(series);
    return Promise.resolve([]);
  });
  expect(new Set(asked).size).toBe(asked.length);
  expect(asked).toHaveLength(4);
  expect(answer!.result!.further_series).toHaveLength(4);
});
