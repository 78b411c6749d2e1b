// @vitest-environment node
import dcmjs from 'dcmjs';
import { describe, expect, it } from 'vitest';
import type { Finding, Result } from '../api/types';
import { isAiResult, refusalOf, resultOf, sourcesOf, writtenAt } from './ai-result';
import type { Dataset } from './dataset';
import { byKeyword } from './dicom-json';
import fixture from './fixtures/ai_result.json';
import { sopClassHandlerModule } from './handler';
import { isOurs } from './ours';
import { answerOf } from './reader';

const STUDY = '1.2.826.0.1.3680043.8.498.1001';
const SERIES = '1.2.826.0.1.3680043.8.498.2001';

const plain = byKeyword(fixture[0]);
/** As OHIF hands it over: some sequences are one object with the properties of an array. */
const naturalised = dcmjs.data.DicomMetaDictionary.naturalizeDataset(fixture[0]) as Dataset;

/** What a viewer knows of the source images, the upper slices first, as OHIF may sort them. */
const headers: Dataset[] = Array.from({ length: 12 }, (_, index) => ({
  SOPInstanceUID: `${SERIES}.${index + 1}`,
  InstanceNumber: 100 - index,
  ImagePositionPatient: [-100, -100, 5 * index],
  ImageOrientationPatient: [1, 0, 0, 0, 1, 0],
  PixelSpacing: [0.5, 0.7],
  Rows: 512,
  Columns: 480,
  SeriesDescription: 'Thorax 5.0',
})).reverse();

function found(result: Result, key: string): Finding {
  return result.findings.find((finding) => finding.key === key)!;
}

describe.each([
  ['DICOM JSON', plain],
  ['naturalised by dcmjs', naturalised],
])('an AI result as %s', (_, dataset) => {
  const result = resultOf(dataset, headers);

  it('is the agent’s', () => {
    expect(isOurs(dataset)).toBe(true);
    expect(isAiResult(dataset)).toBe(true);
    expect(refusalOf(dataset)).toBeNull();
  });

  it('names model, time and series', () => {
    expect(result.model).toMatchObject({
      name: 'msvlm-thorax-demo',
      version: '0.1.0',
      manufacturer: 'pacs-agent project',
      device_uid: '2.25.329800735698586629295641978511506172918',
      intended_use: 'Demonstration of the workflow.',
      training_data: 'Phantoms made by a generator.',
      demo: true,
    });
    expect(result.created_at).toBe('2026-01-02T11:12:13+00:00');
    expect(result.series).toMatchObject({
      series_instance_uid: SERIES,
      frame_of_reference_uid: '1.2.826.0.1.3680043.8.498.3001',
      description: 'Thorax 5.0',
    });
    expect(result.evidence_method).toBe('leave_slices_out');
  });

  it('has its slices in the order of the model, with places of the viewer', () => {
    expect(result.series.slices.map((slice) => slice.sop_instance_uid)).toEqual(
      Array.from({ length: 12 }, (__, index) => `${SERIES}.${index + 1}`),
    );
    expect(result.series.slices.map((slice) => slice.z_mm)).toEqual(headers.map((__, index) => 5 * index));
    expect(result.series.slices[0]).toMatchObject({ instance_number: 100, rows: 512, columns: 480, frame_number: null });
  });

  it('says presence and probability of every finding', () => {
    expect(result.findings.map(({ key, presence, probability }) => [key, presence, probability])).toEqual([
      ['nodule', 'present', 0.91],
      ['opacity', 'absent', 0.04],
      ['emphysema', 'uncertain', 0.44],
      ['atelectasis', 'present', 0.62],
      ['consolidation', 'absent', 0.02],
      ['pleural_effusion', 'present', 0.97],
    ]);
    expect(result.findings.every((each) => each.operating_point === 0.5 && each.uncertain_from === 0.4)).toBe(true);
  });

  it('says where, how much and how many', () => {
    expect(found(result, 'nodule')).toMatchObject({
      name: 'Lung nodule',
      code: { value: '786838002', scheme: 'SCT' },
      site: { value: '39607008', scheme: 'SCT' },
      sides: ['right', 'left'],
      lobes: ['right upper lobe', 'right middle lobe', 'left lower lobe'],
      grade: 0,
      grade_word: 'small',
      grades: ['small', 'moderate', 'large'],
      count: 'few',
    });
    expect(found(result, 'emphysema')).toMatchObject({ grade: 2, grade_word: 'severe', count: null });
    expect(found(result, 'pleural_effusion')).toMatchObject({
      site: { value: '3120008' },
      sides: ['right', 'left'],
      lobes: [],
      grade: 1,
      grade_word: 'moderate',
    });
    expect(found(result, 'opacity')).toMatchObject({ sides: [], lobes: [], grade: null, grade_word: '', evidence: [] });
  });

  it('gives the evidence slices with weight and peak', () => {
    const { evidence, slice_weights } = found(result, 'nodule');
    expect(evidence.map(({ index, weight }) => [index, weight])).toEqual([
      [0, 0.9],
      [1, 0.45],
      [2, 0.3],
    ]);
    expect(evidence[1]).toMatchObject({ sop_instance_uid: `${SERIES}.2`, frame_number: null, peak_heat: 0.4 });
    expect(evidence[1]!.peak_mm![0]).toBeCloseTo(140.175);
    expect(evidence[1]!.peak_px![0]).toBeCloseTo((70.35 + 100) / 0.5);
    expect(evidence[1]!.peak_px![1]).toBeCloseTo((140.175 + 100) / 0.7);
    expect(slice_weights.slice(0, 4)).toEqual([0.9, 0.45, 0.3, 0]);
    expect(slice_weights).toHaveLength(12);
  });

  it('links each sentence with its findings', () => {
    expect(result.sentences[0]).toEqual({
      text: 'Lung nodule is present.',
      findings: ['nodule'],
      positive: true,
      fixed: false,
    });
    expect(result.sentences[1]).toMatchObject({ findings: ['opacity'], positive: false });
    expect(result.impression).toEqual([
      { text: 'Lung nodules: ≥ 3 mm.', findings: ['nodule'], positive: true, fixed: false },
    ]);
  });
});

describe('an AI result without its images', () => {
  it('keeps the order of the slices and says no place', () => {
    const result = resultOf(plain, []);
    expect(result.series.slices).toHaveLength(12);
    expect(result.series.slices[3]).toMatchObject({ z_mm: 3, rows: 0, instance_number: null });
    expect(found(result, 'nodule').evidence[0]!.peak_px).toBeNull();
  });

  it('reads frames of a multi-frame image as slices', () => {
    const enhanced = [{ SOPInstanceUID: `${SERIES}.1`, NumberOfFrames: 3, Rows: 64, Columns: 64 }];
    const { slices } = resultOf(plain, enhanced).series;
    expect(slices.slice(0, 4).map((slice) => [slice.sop_instance_uid, slice.frame_number])).toEqual([
      [`${SERIES}.1`, 1],
      [`${SERIES}.1`, 2],
      [`${SERIES}.1`, 3],
      [`${SERIES}.2`, null],
    ]);
  });
});

describe('documents of others', () => {
  it.each([
    ['another manufacturer’s report', { ...plain, SoftwareVersions: ['viewer 3'] }],
    ['a report of text', { ...plain, ConceptNameCodeSequence: [{ CodeValue: '18748-4', CodingSchemeDesignator: 'LN' }] }],
    ['an empty data set', {}],
  ])('%s is left to the viewer', (_, dataset) => {
    const [handler] = sopClassHandlerModule();
    expect(isOurs(dataset)).toBe(false);
    expect(handler!.getDisplaySetsFromSeries([dataset])).toEqual([]);
  });

  it('key objects are left to the viewer, also those that the agent wrote', () => {
    const [handler] = sopClassHandlerModule();
    expect(handler!.sopClassUids).not.toContain('1.2.840.10008.5.1.4.1.1.88.59');
    expect(isOurs({ ...plain, ConceptNameCodeSequence: [{ CodeValue: '113000', CodingSchemeDesignator: 'DCM' }] })).toBe(false);
  });

  it('an assessment by a person is no AI result', () => {
    const person = { ConceptNameCodeSequence: [{ CodeValue: '121005', CodingSchemeDesignator: 'DCM' }] };
    expect(isAiResult({ ...plain, ContentSequence: [person] })).toBe(false);
  });
});

describe('the handler', () => {
  it('keeps our SR out of the thumbnails', () => {
    const [handler] = sopClassHandlerModule();
    const [displaySet] = handler!.getDisplaySetsFromSeries([naturalised]);
    expect(displaySet).toMatchObject({ excludeFromThumbnailBrowser: true, Modality: 'SR', StudyInstanceUID: STUDY });
  });
});

describe('the answer of a study', () => {
  const older = { ...plain, SOPInstanceUID: ['1.2.3'], ContributingEquipmentSequence: [], ContentDate: ['20250101'] };
  const refusal = {
    SOPInstanceUID: ['1.2.4'],
    SoftwareVersions: ['pacs-agent 1.0'],
    ContentDate: ['20270101'],
    ContentTime: ['080000.000000'],
    ContentSequence: {
      ValueType: 'CONTAINER',
      ConceptNameCodeSequence: { CodeValue: '55112-7', CodingSchemeDesignator: 'LN' },
      ContentSequence: [
        {
          ValueType: 'CODE',
          ConceptNameCodeSequence: { CodeValue: '121077', CodingSchemeDesignator: 'DCM' },
          ConceptCodeSequence: { CodeValue: 'NO_RESULT', CodingSchemeDesignator: '99PACSAGENT' },
        },
        {
          ValueType: 'TEXT',
          ConceptNameCodeSequence: { CodeValue: '121077', CodingSchemeDesignator: 'DCM' },
          TextValue: 'No AI result for this study: two slices only.',
        },
      ],
    },
  };
  const known = (): Promise<Dataset[]> => Promise.resolve(headers);

  it('is the newest result, the others are history', async () => {
    const answer = await answerOf(STUDY, [older, { ...plain, SoftwareVersions: ['other'] }, plain], known);
    expect(answer).toMatchObject({ state: 'ready', job: null, review: null });
    expect(answer!.result!.job_id).toBe(answer!.history[0]!.job_id);
    expect(answer!.history.map((each) => each.superseded)).toEqual([false, true]);
    expect(answer!.history[1]).toMatchObject({ job_id: '1.2.3', model: 'msvlm-thorax-demo' });
  });

  it('says why there is none', async () => {
    const answer = await answerOf(STUDY, [plain, refusal], known);
    expect(answer).toMatchObject({
      state: 'not_applicable',
      reason: 'No AI result for this study: two slices only.',
      result: null,
    });
    expect(writtenAt(refusal)).toBe('2027-01-01T08:00:00');
  });

  it('is none where the PACS has nothing of ours', async () => {
    expect(await answerOf(STUDY, [{}], known)).toBeNull();
  });

  it('asks for the images of the series the result was made of', () => {
    expect(sourcesOf(plain).map(({ seriesInstanceUid }) => seriesInstanceUid)).toEqual([SERIES]);
  });
});
