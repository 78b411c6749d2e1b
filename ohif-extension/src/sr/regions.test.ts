// @vitest-environment node
import dcmjs from 'dcmjs';
import { describe, expect, it } from 'vitest';
import { resultOf } from './ai-result';
import type { Dataset } from './dataset';
import { byKeyword } from './dicom-json';
import fixture from './fixtures/measured_result.json';
import plain from './fixtures/ai_result.json';

const naturalised = dcmjs.data.DicomMetaDictionary.naturalizeDataset(fixture[0]) as Dataset;

describe.each([
  ['DICOM JSON', byKeyword(fixture[0])],
  ['naturalised by dcmjs', naturalised],
])('measurements of an AI result as %s', (_, dataset) => {
  const result = resultOf(dataset, []);
  const regions = result.measurements?.regions ?? [];

  it('are one region for each segment', () => {
    expect(regions.map(({ name, number, side, kind, segment_number }) => [name, number, side, kind, segment_number])).toEqual([
      ['Lung', 1, 'right', 'organ', 1],
      ['Lung', 1, 'left', 'organ', 2],
      ['Pleural effusion', 1, 'right', 'lesion', 3],
      ['Lung nodule', 1, '', 'lesion', 4],
    ]);
  });

  it('have their numbers, and the slice of the diameters', () => {
    expect(regions[3]).toMatchObject({ volume_ml: 0.068, diameter_index: 4, mean_hu: 12, sd_hu: 0 });
    expect(regions[3]!.longest_diameter_mm).toBeGreaterThan(regions[3]!.short_diameter_mm - 0.01);
  });

  it('belong to their findings, and are stated where these are present', () => {
    expect(regions.map(({ finding, stated }) => [finding, stated])).toEqual([
      [null, true],
      [null, true],
      ['pleural_effusion', false],
      ['nodule', true],
    ]);
  });

  it('are of a segmentation that is named among the objects', () => {
    expect(result.objects.map(({ kind, series_instance_uid }) => [kind, series_instance_uid]).slice(1)).toEqual([
      ['segmentation', '2.25.237196147659563990167747712027734370413'],
    ]);
  });

  it('are no findings', () => {
    expect(result.findings).toHaveLength(6);
  });
});

it('are none where nothing was segmented', () => {
  expect(resultOf(byKeyword(plain[0]), []).measurements).toBeNull();
});
