/** What the panel shows while there is no result: why, and what is being done or can be done about it. */
import { useId } from 'react';
import type { JobNow, Step, StudyAnswer } from '../api/types';
import { dateTime, t } from '../i18n';
import { reload } from '../store/actions';
import { percent } from '../store/derived';
import { Button } from './Button';
import { Icon, type IconName } from './Icon';
import { LoginLink } from './LoginLink';
import { useSession } from './useSession';
import { stepWord } from './words';

const ICONS = { waiting: 'wait', running: 'turn', done: 'accept', failed: 'warn' } as const satisfies Record<
  Step['state'],
  IconName
>;

/** Nothing is known of the study yet. */
export function NoAnswer(): React.JSX.Element {
  const study = useSession((session) => session.study);
  const login = useSession((session) => session.login);
  const message = useSession((session) => session.message);
  if (login !== null) return <LoginNeeded login={login} />;
  if (study === '') return <State title={t('panel.noStudy')} name="no-study" />;
  if (message !== '') return <State title={t('panel.noAnswer')} name="silent" reason={message} again />;
  return <State title={t('panel.asking')} name="asking" />;
}

export function LoginNeeded({ login }: { login: string }): React.JSX.Element {
  return (
    <State title={t('panel.loginTitle')} name="login" reason={t('core.loginNeeded')}>
      <p>
        <LoginLink login={login} main />
      </p>
    </State>
  );
}

/** The states of a study without a result. */
export function NoResult({ answer }: { answer: StudyAnswer }): React.JSX.Element {
  const { state, reason, job } = answer;
  if (state === 'ready') return <State title={t('panel.noAnswer')} name="ready" reason={reason} again />;
  return (
    <State
      title={t(`panel.state_${state}`)}
      name={state}
      reason={reason}
      again={state === 'none' || state === 'failed'}
    >
      {job !== null && (state === 'pending' || state === 'failed') && <JobProgress job={job} />}
    </State>
  );
}

interface StateProps {
  title: string;
  name: string;
  reason?: string;
  /** The reader may ask again at once. */
  again?: boolean;
  children?: React.ReactNode;
}

function State({ title, name, reason = '', again = false, children }: StateProps): React.JSX.Element {
  return (
    <section className="pa-state" data-pa="state" data-state={name}>
      <h3>{title}</h3>
      {reason !== '' && <p className="pa-reason">{reason}</p>}
      {children}
      {again && (
        <div>
          <Button icon="turn" data-pa="reload" onPress={() => void reload()}>
            {t('panel.askAgain')}
          </Button>
        </div>
      )}
    </section>
  );
}

/** The pipeline's steps with a bar; also of a newer reading while an older result is shown. */
export function JobProgress({ job }: { job: JobNow }): React.JSX.Element {
  const label = useId();
  return (
    <div data-pa="job">
      <p className="pa-row pa-progress-words" id={label}>
        <span className="pa-grow">{whereItIs(job)}</span>
        <span className="pa-number">{percent(job.progress)}</span>
      </p>
      <div
        className="pa-progress"
        role="progressbar"
        aria-labelledby={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(job.progress * 100)}
      >
        <div style={{ width: `${job.progress * 100}%` }} />
      </div>
      <ol className="pa-steps">
        {job.steps.map((step) => (
          <StepLine key={step.name} step={step} />
        ))}
      </ol>
      <p className="pa-soft pa-small">{t('panel.startedAt', { at: dateTime(job.created_at) })}</p>
    </div>
  );
}

function whereItIs({ steps }: JobNow): string {
  const failed = steps.find(({ state }) => state === 'failed');
  if (failed !== undefined) return t('panel.stoppedAt', { step: stepWord(failed) });
  const running = steps.find(({ state }) => state === 'running');
  return running === undefined ? t('panel.reading') : stepWord(running);
}

function StepLine({ step }: { step: Step }): React.JSX.Element {
  return (
    <li className="pa-step" data-state={step.state} data-pa="step">
      <Icon name={ICONS[step.state]} turning={step.state === 'running'} />
      <span>{stepWord(step)}</span>
      <span className="pa-number pa-small">{t(`panel.stepState_${step.state}`)}</span>
      {step.detail !== '' && <span className="pa-step-detail">{step.detail}</span>}
    </li>
  );
}
