/** The concepts by which the agent writes an AI result; its own table is `pacs_agent/results/codes.py`. */
import type { Count, Presence, Side } from '../api/types';
import type { Concept } from './content';

const LOCAL = '99PACSAGENT';

export const OBSERVER_TYPE: Concept = ['121005', 'DCM'];
export const DEVICE: Concept = ['121007', 'DCM'];
export const COMMENT: Concept = ['121106', 'DCM'];
export const IMAGE_LIBRARY: Concept = ['111028', 'DCM'];
export const IMAGE_LIBRARY_GROUP: Concept = ['126200', 'DCM'];
export const FRAME_OF_REFERENCE: Concept = ['112227', 'DCM'];
export const IMAGING_MEASUREMENTS: Concept = ['126010', 'DCM'];
export const TRACKING_IDENTIFIER: Concept = ['112039', 'DCM'];
export const FINDING: Concept = ['121071', 'DCM'];
export const FINDINGS: Concept = ['121070', 'DCM'];
export const IMPRESSIONS: Concept = ['121072', 'DCM'];
export const COMPARISON: Concept = ['111424', 'DCM'];
export const STUDY_DATE: Concept = ['111060', 'DCM'];
export const STUDY_INSTANCE_UID: Concept = ['110180', 'DCM'];
export const FINDING_SITE: Concept = ['363698007', 'SCT'];
export const LATERALITY: Concept = ['272741003', 'SCT'];
export const ALGORITHM_NAME: Concept = ['111001', 'DCM'];
export const ALGORITHM_VERSION: Concept = ['111003', 'DCM'];
export const ALGORITHM_PARAMETERS: Concept = ['111002', 'DCM'];
export const PROBABILITY: Concept = ['122157', 'DCM'];
export const PRESENCE: Concept = ['121052', 'DCM'];
export const SEVERITY: Concept = ['246112005', 'SCT'];
export const SIZE: Concept = ['112025', 'DCM'];
export const GRADE: Concept = ['GRADE', LOCAL];
export const COUNT: Concept = ['246206008', 'SCT'];
export const CONCLUSION: Concept = ['121077', 'DCM'];
export const SUMMARY: Concept = ['55112-7', 'LN'];
export const SLICE_EVIDENCE: Concept = ['SLICE_EVIDENCE', LOCAL];
export const PEAK_HEAT: Concept = ['PEAK_HEAT', LOCAL];
export const OPERATING_POINT: Concept = ['OPERATING_POINT', LOCAL];
export const VOLUME: Concept = ['118565006', 'SCT'];
export const LONG_AXIS: Concept = ['103339001', 'SCT'];
export const SHORT_AXIS: Concept = ['103340004', 'SCT'];
export const ATTENUATION: Concept = ['112031', 'DCM'];
export const DERIVATION: Concept = ['121401', 'DCM'];
export const MEAN: Concept = ['373098007', 'SCT'];
export const REFERENCED_SEGMENT: Concept = ['121191', 'DCM'];
export const FINDING_CATEGORY: Concept = ['276214006', 'SCT'];
export const ORGAN: Concept = ['91723000', 'SCT'];
export const NO_RESULT: Concept = ['NO_RESULT', LOCAL];

/** By SNOMED CT code. CID 240. */
export const PRESENCES: Readonly<Record<string, Presence>> = {
  '52101004': 'present',
  '272519000': 'absent',
  '373068000': 'uncertain',
};

/** By SNOMED CT code. CID 244. */
export const SIDES: Readonly<Record<string, readonly Side[]>> = {
  '24028007': ['right'],
  '7771000': ['left'],
  '51440002': ['right', 'left'],
};

/** Level of a lobe by SNOMED CT code. From CID 6124; the middle lobe has its side in its code. */
export const LOBE_LEVELS: Readonly<Record<string, 'upper' | 'middle' | 'lower'>> = {
  '45653009': 'upper',
  '72481006': 'middle',
  '90572001': 'lower',
};

interface Grade {
  /** SNOMED CT. */
  code: string;
  word: string;
}

/** Grades from the least to the most. From CID 3716. */
export const SEVERITIES: readonly Grade[] = [
  { code: '255604002', word: 'mild' },
  { code: '6736007', word: 'moderate' },
  { code: '24484000', word: 'severe' },
];
/** Grades that are sizes, from the least to the most. CID 252. */
export const SIZES: readonly Grade[] = [
  { code: '255507004', word: 'small' },
  { code: '255508009', word: 'moderate' },
  { code: '255509001', word: 'large' },
];

export const COUNTS: Readonly<Record<string, Count>> = { COUNT_ONE: 'one', COUNT_FEW: 'few', COUNT_MANY: 'many' };

export const LUNG = { value: '39607008', scheme: 'SCT', meaning: 'Lung' } as const;
