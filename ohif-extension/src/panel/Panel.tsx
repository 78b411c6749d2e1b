/** The panel: what the agent says of the open study, and what the reader makes of it. */
import { useEffect, useRef } from 'react';
import { createRoot } from 'react-dom/client';
import { currentLanguage, dateTime, t } from '../i18n';
import type { Result, StudyAnswer } from '../api/types';
import { Announcer } from './Announcer';
import { announce } from './announce';
import { Boundary } from './Boundary';
import { NotCompared } from './Changes';
import { Background } from './Background';
import { FindingList } from './FindingList';
import { Fold } from './Fold';
import { Footer } from './Footer';
import { closeForm } from './form';
import { Header } from './Header';
import { noHint } from './hinted';
import { KeySheet } from './KeySheet';
import { OtherRegions } from './Measured';
import { Message } from './Message';
import { Overlays } from './Overlays';
import css from './panel.css';
import { dropPictures } from './rendered';
import { Report } from './Report';
import { useCovered } from './useCovered';
import { useSession } from './useSession';
import { JobProgress, NoAnswer, NoResult } from './Waiting';

/** Puts the panel into an element of the viewer, in a React root of its own. Returns what takes it away again. */
export function mountPanel(container: HTMLElement): () => void {
  const root = createRoot(container);
  root.render(
    <>
      <style>{css}</style>
      <Boundary>
        <Panel />
      </Boundary>
    </>,
  );
  return () => {
    root.unmount();
    forget();
  };
}

/** What the panel keeps beside the session belongs to one study. */
function forget(): void {
  closeForm();
  noHint();
  announce('');
  dropPictures();
}

export function Panel(): React.JSX.Element {
  const study = useSession((session) => session.study);
  const answer = useSession((session) => session.answer);
  const login = useSession((session) => session.login);
  useEffect(() => forget, [study]);
  const state = answer?.state ?? (login === null ? 'asking' : 'login');
  const box = useRef<HTMLElement>(null);
  const covered_px = useCovered(box, state);
  return (
    <section
      ref={box}
      style={{ paddingBottom: covered_px }}
      className="pa-root"
      lang={currentLanguage()}
      aria-label={t('core.panelLabel')}
      data-pa="panel"
      data-state={state}
    >
      <Header />
      <div className="pa-body">
        {answer === null ? (
          <NoAnswer />
        ) : answer.result === null ? (
          <NoResult answer={answer} />
        ) : (
          <Reading answer={answer} result={answer.result} />
        )}
      </div>
      {answer !== null && <Notices answer={answer} />}
      {answer?.result && <Footer result={answer.result} />}
      <KeySheet />
      <Announcer />
    </section>
  );
}

/** What is the matter between the panel and the agent. */
function Connected(): React.JSX.Element | null {
  const source = useSession((session) => session.source);
  const connection = useSession((session) => session.connection);
  const settled = useSession(({ saving }) => saving === 'conflict' || saving === 'failed');
  const message = useSession((session) => session.message);
  if (source === 'agent' && connection === 'offline') {
    return (
      <Message kind="warning" name="offline">
        {t('panel.offline')}
      </Message>
    );
  }
  const said = source === 'sr' && message === '' ? t('core.agentSilent') : message;
  if (said === '' || settled) return null;
  return (
    <Message kind="warning" name="message">
      {said}
    </Message>
  );
}

/** When the result was on the screen, in the page's own record of such times. */
const READY = 'pa:panel-ready';

function Reading({ answer, result }: { answer: StudyAnswer; result: Result }): React.JSX.Element {
  useEffect(() => {
    performance.mark(READY);
    return () => performance.clearMarks(READY);
  }, [result.job_id]);
  return (
    <>
      <FindingList result={result} />
      <NotCompared result={result} />
      <OtherRegions result={result} />
      <Overlays />
      <Report result={result} />
      <Background answer={answer} result={result} />
    </>
  );
}

/** Below the list, so that nothing moves under the pointer when one comes: why what is shown may not be the newest. */
function Notices({ answer }: { answer: StudyAnswer }): React.JSX.Element {
  const { result, job, reason } = answer;
  const newer = result !== null && job !== null && job.id !== result.job_id ? job : null;
  return (
    <div className="pa-notices">
      <Connected />
      {result !== null && newer !== null && newer.finished_at === null && (
        <Message name="newer">
          <p>{t('panel.newerReading', { at: dateTime(result.created_at) })}</p>
          <Fold title={t('panel.steps')} name="steps">
            <JobProgress job={newer} />
          </Fold>
        </Message>
      )}
      {result !== null && reason !== '' && (
        <Message kind="warning" name="reason">
          {reason}
        </Message>
      )}
    </div>
  );
}
