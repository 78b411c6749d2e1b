// @vitest-environment node
import dcmjs from 'dcmjs';
import { describe, expect, it } from 'vitest';
import { resultOf } from './ai-result';
import { sincePriorOf } from './changes';
import { contentOf } from './content';
import type { Dataset } from './dataset';
import { byKeyword } from './dicom-json';
import plain from './fixtures/ai_result.json';
import fixture from './fixtures/compared_result.json';

const naturalised = dcmjs.data.DicomMetaDictionary.naturalizeDataset(fixture[0]) as Dataset;

describe.each([
  ['DICOM JSON', byKeyword(fixture[0])],
  ['naturalised by dcmjs', naturalised],
])('what changed, of an AI result as %s', (_, dataset) => {
  const since = resultOf(dataset, []).since_prior!;

  it('has the dates of both studies', () => {
    expect([since.study_date, since.prior_study_date, since.not_compared]).toEqual(['2026-01-02', '2025-05-03', '']);
    expect(since.prior_study_instance_uid).toBe('1.2.826.0.1.3680043.8.498.1000');
  });

  it('is what the agent says of each finding', () => {
    const said = since.findings.map(({ change, sides, by, value, prior_value, obstacle }) =>
      [change, sides.join(), by, value, prior_value, obstacle].filter((each) => each !== null && each !== '').join(' '),
    );
    expect(said).toEqual([
      'new right presence',
      'gone presence',
      'larger grade 2 0',
      'smaller grade 0 2',
      'unchanged presence',
      'unchanged grade 1 1',
      'not_comparable presence uncertain',
      'not_comparable grade 1 2 grade',
    ]);
  });

  it('leads to the slices of the prior', () => {
    const slices = since.findings.map(({ prior_slices }) => prior_slices.length);
    expect(slices).toEqual([0, 3, 3, 3, 3, 3, 3, 3]);
    expect(since.findings[2]!.prior_slices[0]!.sop_instance_uid).toMatch(/^1\.2\.826\.0\.1\.3680043\.8\.498\.2000\./);
    expect(since.findings[2]!.slices).toHaveLength(3);
  });
});

it('is null where nothing is said of a prior', () => {
  expect(resultOf(byKeyword(plain[0]), []).since_prior).toBeNull();
});

it.each(['Not compared with the study of 2025-05-03. It was read by m 1.', 'Not compared with an earlier study. It was read by m 1.'])(
  'says why nothing is compared: %s',
  (about) => {
    const comment = { ValueType: 'TEXT', ConceptNameCodeSequence: [code('121106', 'DCM')], TextValue: about };
    const section = { ValueType: 'CONTAINER', ConceptNameCodeSequence: [code('111424', 'DCM')], ContentSequence: [comment] };
    const since = sincePriorOf(contentOf({ ContentSequence: [section] }), [], '');
    expect([since?.not_compared, since?.prior_study_date, since?.findings]).toEqual(['It was read by m 1.', null, []]);
  },
);

function code(value: string, scheme: string): Dataset {
  return { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: '' };
}
