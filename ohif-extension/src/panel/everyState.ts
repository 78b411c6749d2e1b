/** A session in every state the panel knows, upon a real answer of the agent. For tests and for looking; not shipped. */
import answerJson from '../api/fixtures/answer.json';
import type { Finding, JobNow, Person, Result, ReviewNow, StepState, StudyAnswer } from '../api/types';
import { emptySession, type Session } from '../store/store';

const answer = answerJson as unknown as StudyAnswer;
export const result = answer.result as Result;

export const reviewer: Person = { login: 'ada', name: 'Dr. Ada Lovelace', roles: ['reviewer'], csrf: 'token' };

const ready: Session = {
  ...emptySession(answer.study_instance_uid),
  answer,
  source: 'agent',
  connection: 'live',
  person: reviewer,
};

const steps = (...states: StepState[]): JobNow['steps'] =>
  ['select_series', 'encode_missing', 'read_study', 'weigh_evidence', 'compose', 'deliver:pacs', 'confirm:pacs'].map(
    (name, at) => ({
      name,
      state: states[at] ?? 'waiting',
      detail: states[at] === 'running' ? '118 of 300 slices' : '',
      started_at: '2026-11-22T11:12:46Z',
      finished_at: null,
    }),
  );

const running: JobNow = {
  id: 'job-now',
  state: 'running',
  progress: 0.42,
  created_at: '2026-11-22T11:12:39Z',
  finished_at: null,
  steps: steps('done', 'running'),
};
const broken: JobNow = {
  ...running,
  state: 'failed',
  finished_at: '2026-11-22T11:14:00Z',
  steps: steps('done', 'failed'),
};

const without = (change: Partial<StudyAnswer>): Session => ({
  ...ready,
  answer: { ...answer, result: null, job: null, history: [], ...change },
});

const review: ReviewNow = {
  version: 2,
  by: 'Dr. Ada Lovelace',
  at: '2026-11-22T11:40:00Z',
  job_id: result.job_id,
  verified: true,
  findings: result.findings
    .filter(({ presence }) => presence !== 'absent')
    .map(({ key }) => ({ finding: key, action: 'accepted' })),
  text: null,
  objects: [],
  state: 'sent',
  error: '',
};

/** The first finding that is present, by its probability. */
export const strongest: Finding = [...result.findings].sort((a, b) => b.probability - a.probability)[0] as Finding;
const best = strongest.evidence[0];
const onBest = best === undefined ? null : { sopInstanceUid: best.sop_instance_uid, frame: best.frame_number };

const handled: Session = {
  ...ready,
  current: onBest,
  draft: {
    text: null,
    findings: {
      pleural_effusion: { finding: 'pleural_effusion', action: 'accepted' },
      lung_nodule: { finding: 'lung_nodule', action: 'rejected', reason: 'artifact' },
      atelectasis: {
        finding: 'atelectasis',
        action: 'edited',
        edited: {
          presence: 'present',
          sides: ['left'],
          lobes: ['left lower lobe'],
          grade: 1,
          count: null,
          comment: 'beside the effusion',
        },
      },
      hiatal_hernia: {
        finding: 'hiatal_hernia',
        action: 'added',
        edited: { presence: 'present', sides: [], lobes: [], grade: 0, count: null, comment: '' },
        slice: { sop_instance_uid: onBest?.sopInstanceUid ?? '', frame_number: null },
      },
    },
  },
};

export const STATES = {
  none: without({
    state: 'none',
    reason:
      'The agent has received no image of this study. Send it by C-STORE to PACS_AGENT, port 11112, or let the PACS route it there.',
  }),
  pending: without({ state: 'pending', reason: '', job: running }),
  not_applicable: without({
    state: 'not_applicable',
    reason: 'No series of this study can be read: the slices are 8.0 mm thick, at most 6.0 mm are read.',
  }),
  failed: without({
    state: 'failed',
    reason:
      'The reading failed: the slices 12 and 13 lie at the same place. An operator can run it again: pacs-agent rerun 4f1c',
    job: broken,
  }),
  ready,
  selected: { ...ready, selected: strongest.key, current: onBest },
  handled: { ...handled, others: ['Dr. Grace Hopper'] },
  conflict: {
    ...handled,
    saving: 'conflict',
    message: 'Dr. Grace Hopper saved a review meanwhile. Load it, look at your changes again and save once more.',
  },
  save_failed: {
    ...handled,
    saving: 'failed',
    message:
      'The review was not saved: The PACS agent answered with status 500. Ask its operator to look into the log.',
  },
  offered: { ...ready, offered: { job: 'older', draft: handled.draft } },
  text: {
    ...handled,
    draft: { ...handled.draft, text: 'Moderate bilateral pleural effusions.\n\nFollow-up in three months.' },
  },
  verified: { ...ready, answer: { ...answer, review } },
  recalled: {
    ...ready,
    answer: { ...answer, result: { ...result, recalled: 'It misses nodules near the diaphragm.' } },
  },
  newer: {
    ...ready,
    answer: {
      ...answer,
      job: running,
      history: [
        ...answer.history,
        {
          job_id: 'older',
          created_at: '2026-11-20T08:00:00Z',
          state: 'done',
          model: 'msvlm-thorax-demo 0.1.0',
          superseded: true,
          reason: '',
        },
      ],
    },
  },
  viewer: { ...ready, person: { ...reviewer, roles: ['viewer'] } },
  anonymous: { ...ready, person: null, login: '/login?next=/' },
  login: { ...emptySession(answer.study_instance_uid), source: 'agent', login: '/login?next=/' },
  asking: emptySession(answer.study_instance_uid),
  silent: {
    ...emptySession(answer.study_instance_uid),
    message: 'The PACS agent does not answer, and the PACS has no AI result of this study.',
  },
  offline: { ...ready, connection: 'offline' },
  from_sr: { ...ready, source: 'sr', connection: 'offline', person: null },
  sheet: { ...ready, sheet: true },
} as const satisfies Record<string, Session>;

export type StateName = keyof typeof STATES;
