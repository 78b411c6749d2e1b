/** Says for screen readers what changed away from the focus: a result came, a finding was handled, a review was saved. */
import { useEffect, useRef } from 'react';
import { t } from '../i18n';
import { findingOf } from '../store/derived';
import { store, type Session } from '../store/store';
import { announce, announced } from './announce';
import { useObserved } from './observed';
import { findingName } from './words';

export function Announcer(): React.JSX.Element {
  const text = useObserved(announced);
  const before = useRef(store.get());
  useEffect(
    () =>
      store.subscribe(() => {
        const now = store.get();
        const said = change(before.current, now);
        before.current = now;
        if (said !== '') announce(said);
      }),
    [],
  );
  return (
    <p className="pa-hidden" role="status" aria-live="polite" data-pa="announced">
      {text}
    </p>
  );
}

/** What is worth saying of a change of the session; empty when nothing is. */
export function change(before: Session, now: Session): string {
  return [answerChange(before, now), handledChange(before, now), savingChange(before, now), othersChange(before, now)]
    .filter((text) => text !== '')
    .join('. ');
}

function answerChange(before: Session, now: Session): string {
  const [was, is] = [before.answer, now.answer];
  if (is === null || (was?.state === is.state && was.result?.job_id === is.result?.job_id)) return '';
  if (is.result !== null && was?.result?.job_id !== is.result.job_id)
    return t('panel.saidReady', { count: is.result.findings.filter(({ presence }) => presence !== 'absent').length });
  return t(`panel.state_${is.state}`);
}

function handledChange(before: Session, now: Session): string {
  if (before.draft.findings === now.draft.findings || before.study !== now.study) return '';
  return Object.values(now.draft.findings)
    .filter((review) => before.draft.findings[review.finding] !== review)
    .map((review) => {
      const finding = findingOf(now, review.finding);
      return `${finding === null ? review.finding : findingName(finding)}: ${t(`panel.action_${review.action}`)}`;
    })
    .join(', ');
}

function savingChange(before: Session, now: Session): string {
  if (before.saving === now.saving || now.saving === 'no') return '';
  return now.saving === 'saving' ? t('panel.saving') : now.saving === 'saved' ? t('panel.saidSaved') : '';
}

function othersChange(before: Session, now: Session): string {
  return before.others === now.others || now.others.length === 0
    ? ''
    : t('panel.others', { names: now.others.join(', ') });
}
