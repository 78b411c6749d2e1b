/** The draft report: each sentence leads to its finding and its slice; the text can be edited and copied. */
import { Fragment, useMemo, useRef, useState } from 'react';
import type { Result } from '../api/types';
import { t } from '../i18n';
import { setText } from '../store/actions';
import { isUnsaved, mayReview, reviewOf } from '../store/derived';
import { store, type Session } from '../store/store';
import { announce } from './announce';
import { Button } from './Button';
import { chooseFinding } from './FindingRow';
import { hint, noHint } from './hinted';
import { plainText, reviewedReport, type Line, type ReviewedReport } from './reviewedText';
import { walk } from './roving';
import { useSession } from './useSession';

export function Report({ result }: { result: Result }): React.JSX.Element {
  const draft = useSession((session) => session.draft);
  const saved = useSession(savedText);
  const answer = useSession((session) => session.answer);
  const reviewer = useSession(mayReview);
  // The draft and the answer are what the reviews are taken from.
  const report = useMemo(
    () => reviewedReport(result, (key) => reviewOf({ ...store.get(), draft, answer }, key)),
    [result, draft, answer],
  );
  const [editing, setEditing] = useState(false);
  const verified = useSession(isVerified);
  const written = draft.text ?? saved ?? (editing ? plainText(report) : null);
  return (
    <section className="pa-section" aria-labelledby="pa-report-title" data-pa="report">
      <div className="pa-section-head">
        <h3 id="pa-report-title">
          {t(verified ? 'panel.verifiedReport' : written === null ? 'panel.draftReport' : 'panel.editedReport')}
        </h3>
        <CopyButton text={() => written ?? plainText(report)} />
        {reviewer && written === null && (
          <Button icon="edit" kind="plain" data-pa="edit-text" onPress={() => setEditing(true)}>
            {t('panel.editText')}
          </Button>
        )}
      </div>
      {written === null ? (
        <Sentences report={report} verified={verified} />
      ) : (
        <WrittenText
          text={written}
          editable={reviewer}
          leave={editing || draft.text !== null ? () => setEditing(false) : null}
        />
      )}
    </section>
  );
}

/** What is shown is the verified report: nothing was changed since. */
function isVerified(session: Session): boolean {
  const { result, review } = session.answer ?? {};
  return review?.verified === true && review.job_id === result?.job_id && !isUnsaved(session);
}

/** The text of the saved review of this result; null where the draft stands. */
function savedText({ answer }: Session): string | null {
  return answer?.review && answer.review.job_id === answer.result?.job_id ? answer.review.text : null;
}

function WrittenText({
  text,
  editable,
  leave,
}: {
  text: string;
  editable: boolean;
  leave: (() => void) | null;
}): React.JSX.Element {
  return (
    <>
      <textarea
        className="pa-field pa-report-text"
        aria-label={t('panel.reportText')}
        value={text}
        readOnly={!editable}
        spellCheck
        data-pa="text"
        onKeyDown={(event) => event.stopPropagation()}
        onChange={(event) => setText(event.target.value)}
      />
      {editable && leave !== null && (
        <Button
          icon="undo"
          kind="plain"
          data-pa="draft-text"
          onPress={() => {
            setText(null);
            leave();
          }}
        >
          {t('panel.backToDraft')}
        </Button>
      )}
    </>
  );
}

function Sentences({ report, verified }: { report: ReviewedReport; verified: boolean }): React.JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  return (
    <div ref={box} className="pa-report" onKeyDown={(event) => walk(event, box.current, '.pa-sentence')}>
      <h4 className="pa-report-part">{t('panel.partFindings')}</h4>
      <Lines lines={report.findings} verified={verified} first />
      <h4 className="pa-report-part">{t('panel.partImpression')}</h4>
      <Lines lines={report.impression} verified={verified} />
    </div>
  );
}

/** Sentences that say that something is there stand alone; the others run on. */
function Lines({
  lines,
  verified,
  first = false,
}: {
  lines: Line[];
  verified: boolean;
  first?: boolean;
}): React.JSX.Element {
  const positive = lines.filter((line) => line.positive);
  const negative = lines.filter((line) => !line.positive);
  return (
    <>
      {positive.map((line, at) => (
        <p key={`${line.findings.join()} ${at}`} className="pa-line" data-action={actionOn(line)}>
          <SentenceLink line={line} reached={first && at === 0} />
        </p>
      ))}
      {negative.length > 0 && (
        <p className="pa-line" data-action={verified ? 'accepted' : 'none'}>
          {negative.map((line, at) => (
            <Fragment key={`${line.findings.join()} ${at}`}>
              <SentenceLink line={line} reached={first && positive.length === 0 && at === 0} />{' '}
            </Fragment>
          ))}
        </p>
      )}
    </>
  );
}

function SentenceLink({ line, reached }: { line: Line; reached: boolean }): React.JSX.Element {
  const selected = useSession(
    (session) => session.selected !== null && line.findings.length < 4 && line.findings.includes(session.selected),
  );
  if (line.findings.length === 0) return <span className="pa-soft">{line.text}</span>;
  const go = (): void => chooseFirst(line.findings);
  return (
    <span
      className={line.positive ? 'pa-sentence' : 'pa-sentence pa-sentence-negative'}
      role="button"
      lang="en"
      tabIndex={reached ? 0 : -1}
      data-pa="sentence"
      data-action={actionOn(line)}
      data-hinted={selected}
      onPointerEnter={() => hint(line.findings)}
      onPointerLeave={noHint}
      onFocus={() => hint(line.findings)}
      onBlur={noHint}
      onClick={go}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        event.stopPropagation();
        go();
      }}
    >
      {line.gone && <span className="pa-hidden">{t('panel.struckOut')} </span>}
      {line.text}
    </span>
  );
}

function actionOn(line: Line): string {
  return line.gone ? 'rejected' : (line.action ?? 'none');
}

/** The finding that matters most among those a sentence speaks of. */
function chooseFirst(keys: readonly string[]): void {
  const findings = store.get().answer?.result?.findings.filter(({ key }) => keys.includes(key)) ?? [];
  const [first] = [...findings].sort((a, b) => b.probability - a.probability);
  if (first !== undefined) chooseFinding(first);
}

function CopyButton({ text }: { text: () => string }): React.JSX.Element {
  const [said, setSaid] = useState<'copied' | 'notCopied' | null>(null);
  const copy = async (): Promise<void> => {
    const done = await toClipboard(withMark(text()));
    setSaid(done ? 'copied' : 'notCopied');
    announce(t(done ? 'panel.copied' : 'panel.notCopied'));
    setTimeout(() => setSaid(null), 4000);
  };
  return (
    <Button icon={said === 'copied' ? 'accept' : 'copy'} kind="plain" data-pa="copy" onPress={() => void copy()}>
      {said === null ? t('panel.copy') : t(`panel.${said}Short`)}
    </Button>
  );
}

/** A text that nobody verified says so wherever it is pasted. */
function withMark(text: string): string {
  const session = store.get();
  const model = session.answer?.result?.model;
  return isVerified(session) || model === undefined
    ? text
    : `${t('panel.copyMark', { model: `${model.name} ${model.version}` })}\n\n${text}`;
}

async function toClipboard(text: string): Promise<boolean> {
  if (!isSecureContext) return copySelected(text);
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    if (error instanceof DOMException) return copySelected(text);
    throw error;
  }
}

/** The older way, which pages without TLS still have. */
function copySelected(text: string): boolean {
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'pa-hidden';
  const focused = document.activeElement;
  (document.querySelector('.pa-root') ?? document.body).append(field);
  field.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the Clipboard API is not there without TLS
  const done = document.execCommand('copy');
  field.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return done;
}
