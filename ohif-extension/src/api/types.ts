/**
 * The agent's JSON, as `GET /api/v1/studies/{uid}/result` and its neighbours write it. Names are those of the wire.
 *
 * Probabilities, weights and heat are from 0 to 1. Points are (row, column) in pixels with whole numbers at the centres
 * of pixels, or (x, y, z) in mm in the patient coordinate system (PS3.3 C.7.6.2.1.1).
 */

export type AnswerState = 'none' | 'pending' | 'not_applicable' | 'failed' | 'ready';
export type Presence = 'present' | 'uncertain' | 'absent';
export type Side = 'right' | 'left';
export type Count = 'one' | 'few' | 'many';
export type StepState = 'waiting' | 'running' | 'done' | 'failed';

export interface StudyAnswer {
  study_instance_uid: string;
  state: AnswerState;
  /** Why there is no result, in words that say what to do; empty where there is one. */
  reason: string;
  /** The newest reading job, also while an older result is shown. */
  job: JobNow | null;
  /** The newest reading that is there; it may be of an older job than `job`. */
  result: Result | null;
  /** All reading jobs of the study, newest first. */
  history: Earlier[];
  /** The newest saved review of `result`. */
  review: ReviewNow | null;
}

export interface JobNow {
  id: string;
  state: string;
  progress: number;
  created_at: string;
  finished_at: string | null;
  steps: Step[];
}

export interface Step {
  name: string;
  state: StepState;
  detail: string;
  started_at: string;
  finished_at: string | null;
}

export interface Result {
  job_id: string;
  run: number;
  created_at: string;
  model: Model;
  /** Slice `i` of every index and weight is slice `i` of this series, then of those that were read besides. */
  series: Series;
  /** Series that were read besides; absent in answers of older agents and in results read from SR. */
  further_series?: Series[];
  /** In the order of the model. */
  findings: Finding[];
  sentences: Sentence[];
  impression: Sentence[];
  evidence_method: string | null;
  /** What was outlined and measured; null where no segmenter looked, absent in answers of older agents. */
  measurements?: Measurements | null;
  /** Those that the model measured itself; absent in answers of older agents. */
  distances?: Distance[];
  /** Whether there is heat over its slices; absent in answers of older agents, which had it. */
  has_heat?: boolean;
  /** What changed since the prior study; null where there is none, absent in older answers. */
  since_prior?: SincePrior | null;
  /** Why the version of the model was recalled; its results are not to be relied on. Absent in results read from SR. */
  recalled?: string | null;
  objects: ResultObject[];
}

export interface Model {
  name: string;
  version: string;
  digest: string;
  device_uid: string;
  manufacturer: string;
  intended_use: string;
  training_data: string;
  demo: boolean;
}

export type Plane = 'axial' | 'sagittal' | 'coronal' | 'oblique';

export interface Series {
  series_instance_uid: string;
  frame_of_reference_uid: string | null;
  /** Absent in answers of older agents, which read CT, and where a result is read from SR without its images. */
  modality?: string;
  description: string;
  /** By geometry; absent in answers of older agents, and where a result is read from SR without its images. */
  plane?: Plane;
  /** What its images show, such as "DWI b800"; empty or absent where it is not known. */
  sequence?: string;
  /** In the order of the model: along the normal of the slices. */
  slices: Slice[];
}

export interface Slice {
  sop_instance_uid: string;
  frame_number: number | null;
  /** Along the normal: towards the head (axial), the left (sagittal) or the back (coronal). */
  z_mm: number;
  instance_number: number | null;
  rows: number;
  columns: number;
}

/** A coded concept. PS3.3 8.1. */
export interface Coded {
  value: string;
  scheme: string;
  meaning: string;
}

export type Attribute = 'side' | 'lobe' | 'grade' | 'count';

export interface Finding {
  key: string;
  name: string;
  code: Coded;
  site: Coded;
  /** How much it matters that this finding is there, from the model's manifest; larger is more. */
  concern: number;
  probability: number;
  operating_point: number;
  uncertain_from: number | null;
  presence: Presence;
  sides: Side[];
  lobes: string[];
  /** Index into `grades`. */
  grade: number | null;
  grade_word: string;
  grades: string[];
  count: Count | null;
  /** What of it a reviewer may say. */
  applies: Attribute[];
  /** One for each slice that was read. */
  slice_weights: number[];
  /** The slices on which the finding rests, the strongest first. */
  evidence: Evidence[];
}

export interface Evidence {
  /** Of the slice among all that were read. */
  index: number;
  sop_instance_uid: string;
  frame_number: number | null;
  weight: number;
  peak_px: [number, number] | null;
  peak_mm: [number, number, number] | null;
  peak_heat: number | null;
}

export interface Measurements {
  /** Absent where it is not known: in results read from SR. */
  model?: Model;
  regions: Region[];
  /** Why the version of the segmenter was recalled; `reason` of the answer says it in words. */
  recalled?: string | null;
}

/** A region that a segmenter outlined, and its measurements. */
export interface Region {
  name: string;
  kind: 'organ' | 'lesion';
  /** Key of the finding that it measures; null: none. */
  finding: string | null;
  side: '' | Side;
  /** From 1 within its structure. */
  number: number;
  segment_number: number;
  /** False: outlined, but the reading does not call its finding present there. The draft says nothing of it. */
  stated: boolean;
  volume_ml: number;
  longest_diameter_mm: number;
  /** At right angles to the longest, in the same slice. */
  short_diameter_mm: number;
  /** Of that slice in the series; -1: not known. */
  diameter_index: number;
  /** What the draft calls that slice; absent in results read from SR. */
  diameter_image?: number | null;
  /** The ends of the longest diameter; absent in results read from SR. */
  diameter_ends_mm?: [[number, number, number], [number, number, number]];
  mean_hu: number | null;
  sd_hu: number | null;
}

/** A straight distance in the patient that the model measured. */
export interface Distance {
  /** Key of the finding that it measures. */
  finding: string;
  name: string;
  value_mm: number;
  /** Absent where a result is read from SR that names no points. */
  ends_mm?: [[number, number, number], [number, number, number]];
  /** Of the slice in which its middle lies, among all that were read; null where that is not known. */
  index: number | null;
}

export type Change = 'new' | 'gone' | 'larger' | 'smaller' | 'unchanged' | 'not_comparable';
export type Obstacle = 'uncertain' | 'place' | 'lobes' | 'count' | 'extent' | 'grade' | 'contradiction';

/** What changed since the latest earlier study of the patient that the model has read. */
export interface SincePrior {
  /** Of this study, as in 2026-05-03. */
  study_date: string | null;
  /** Null where it is in doubt whether the study is of the same patient. */
  prior_study_instance_uid: string | null;
  prior_study_date: string | null;
  prior_series_instance_uid: string | null;
  /** Why nothing is compared; empty where findings are. */
  not_compared: string;
  findings: ChangeOfFinding[];
}

export interface ChangeOfFinding {
  /** Its key. */
  finding: string;
  change: Change;
  /** Where this is said of it; empty: of all of it. */
  sides: Side[];
  by: 'presence' | 'grade' | 'volume' | 'diameter';
  /** What it is by now: index into `grades`, mL or mm. */
  value: number | null;
  prior_value: number | null;
  obstacle: Obstacle | null;
  /** On which it rests in this study, the strongest first. */
  slices: NamedSlice[];
  /** On which it rests in the prior study, the strongest first. */
  prior_slices: NamedSlice[];
}

export interface NamedSlice {
  sop_instance_uid: string;
  frame_number: number | null;
}

export interface Sentence {
  text: string;
  /** Keys of the findings that license the sentence. */
  findings: string[];
  positive: boolean;
  fixed: boolean;
}

export interface Earlier {
  job_id: string;
  created_at: string;
  state: string;
  model: string;
  superseded: boolean;
  reason: string;
}

export interface Delivery {
  destination: string;
  state: string;
}

export interface ResultObject {
  kind: string;
  sop_class_uid: string;
  sop_instance_uid: string;
  series_instance_uid: string;
  deliveries: Delivery[];
}

/** `GET /api/v1/studies/{uid}/heat/{finding}/{sop}`: heat over one slice, rows × columns. */
export interface Heat {
  values: number[][];
  /** Row and column of the centre of the first value. */
  origin_px: [number, number];
  step_px: [number, number];
  origin_mm: [number, number, number];
  row_step_mm: [number, number, number];
  column_step_mm: [number, number, number];
  peak_px: [number, number];
  peak_mm: [number, number, number];
  peak_heat: number;
}

export type Role = 'viewer' | 'reviewer' | 'operator' | 'admin' | 'auditor';

/** Who is logged in, and the token that requests which change something carry. */
export interface Person {
  login: string;
  name: string;
  roles: Role[];
  csrf: string;
}

export type Action = 'accepted' | 'rejected' | 'edited' | 'added';

/** What the radiologist says of a finding in place of the model. */
export interface Edited {
  presence: Presence;
  sides: Side[];
  lobes: string[];
  grade: number | null;
  count: Count | null;
  comment: string;
}

/** The slice on which a missed finding was added. */
export interface SliceMark {
  sop_instance_uid: string;
  frame_number: number | null;
  point_px?: [number, number];
}

export interface FindingReview {
  finding: string;
  action: Action;
  /** With `rejected`. */
  reason?: string;
  /** With `edited` and `added`. */
  edited?: Edited;
  /** With `added`. */
  slice?: SliceMark;
}

export interface ReviewNow {
  version: number;
  by: string;
  at: string;
  job_id: string;
  verified: boolean;
  findings: FindingReview[];
  /** The edited report, or null where the draft stands. */
  text: string | null;
  objects: ResultObject[];
  state: 'sending' | 'sent' | 'failed';
  error: string;
}

/** The body of `POST /api/v1/studies/{uid}/review`. */
export interface ReviewRequest {
  job_id: string;
  /** The version of the review this one is made upon; 0 when there is none. */
  base_version: number;
  verify: boolean;
  findings: FindingReview[];
  text: string | null;
}

/** The body of a 409 of the review: who saved meanwhile. */
export interface Conflict {
  error: string;
  by: string;
  at: string;
  version: number;
}
