/** Whether what came over the wire has the form we rely on. */
import type { Conflict, Heat, Person, Result, ReviewNow, StudyAnswer } from './types';

const STATES: readonly unknown[] = ['none', 'pending', 'not_applicable', 'failed', 'ready'];

type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isStudyAnswer(value: unknown): value is StudyAnswer {
  return (
    isFields(value) &&
    typeof value.study_instance_uid === 'string' &&
    STATES.includes(value.state) &&
    Array.isArray(value.history) &&
    (value.job === null || isFields(value.job)) &&
    (value.result === null || isResult(value.result)) &&
    (value.review === null || isReviewNow(value.review))
  );
}

function isResult(value: unknown): value is Result {
  return (
    isFields(value) &&
    typeof value.job_id === 'string' &&
    isFields(value.model) &&
    isFields(value.series) &&
    Array.isArray(value.series.slices) &&
    [value.findings, value.sentences, value.impression, value.objects].every(Array.isArray)
  );
}

export function isReviewNow(value: unknown): value is ReviewNow {
  return isFields(value) && typeof value.version === 'number' && Array.isArray(value.findings);
}

export function isPerson(value: unknown): value is Person {
  return (
    isFields(value) &&
    typeof value.login === 'string' &&
    typeof value.name === 'string' &&
    typeof value.csrf === 'string' &&
    Array.isArray(value.roles)
  );
}

export function isHeat(value: unknown): value is Heat {
  return isFields(value) && Array.isArray(value.values) && Array.isArray(value.origin_mm);
}

export function isConflict(value: unknown): value is Conflict {
  return isFields(value) && typeof value.error === 'string' && typeof value.version === 'number';
}

export function isOthers(value: unknown): value is { others: string[] } {
  return isFields(value) && Array.isArray(value.others) && value.others.every((name) => typeof name === 'string');
}
