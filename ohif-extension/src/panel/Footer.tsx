/** What is still to be handled, and the two ways to finish: save, or verify with one's name. */
import { useState } from 'react';
import type { Finding, Result } from '../api/types';
import { dateTime, t } from '../i18n';
import { reload, save, takeOffered } from '../store/actions';
import { isUnsaved, mayReview, missingForVerify, standing } from '../store/derived';
import { store, type Session } from '../store/store';
import { keyFor } from '../viewport/keys';
import { announce } from './announce';
import { Button } from './Button';
import { chooseFinding } from './FindingRow';
import { Icon } from './Icon';
import { LoginLink } from './LoginLink';
import { Message } from './Message';
import { useSession } from './useSession';
import { findingName } from './words';

export function Footer({ result }: { result: Result }): React.JSX.Element {
  const reviewer = useSession(mayReview);
  return (
    <footer className="pa-foot" data-pa="foot">
      <SaveMessage />
      <OfferedDraft />
      {reviewer ? <Finish result={result} /> : <WhyNot />}
    </footer>
  );
}

function Finish({ result }: { result: Result }): React.JSX.Element {
  const session = useSession((each) => each);
  const missing = missingForVerify(session);
  const all = standing(result).length;
  const saving = session.saving === 'saving';
  const nothing = !isUnsaved(session);
  const [asked, setAsked] = useState(false);
  const verified = session.answer?.review?.verified === true && session.answer.review.job_id === result.job_id;
  const settled = verified && nothing;
  const verify = (): void => {
    if (saving || settled) return;
    if (missing.length === 0) {
      void save(true);
      return;
    }
    setAsked(true);
    announce(namesOf(missing));
  };
  return (
    <>
      <div className="pa-foot-row">
        <span>{t('panel.handledOf', { handled: all - missing.length, count: all })}</span>
        {missing[0] !== undefined && <NextOpen finding={missing[0]} />}
      </div>
      <Missing findings={missing} asked={asked} />
      <div className="pa-row pa-row-wide">
        <Button
          shortcut={keyFor('save')}
          data-pa="save"
          off={saving || nothing}
          onPress={() => void (saving || nothing || save(false))}
        >
          {saving ? t('panel.saving') : t('panel.save')}
        </Button>
        <Button
          icon="seal"
          kind="main"
          shortcut={keyFor('verify')}
          data-pa="verify"
          off={saving || settled || missing.length > 0}
          aria-describedby="pa-missing"
          onPress={verify}
        >
          {verified ? t('panel.verifyAgain') : t('panel.verify')}
        </Button>
      </div>
      <SavedReview session={session} />
    </>
  );
}

const namesOf = (missing: readonly Finding[]): string =>
  t('core.missing', { names: missing.map(findingName).join(', ') });

/** What stands between the reader and verifying: shown once it was tried, always told to a screen reader. */
function Missing({ findings, asked }: { findings: readonly Finding[]; asked: boolean }): React.JSX.Element {
  return (
    <p
      id="pa-missing"
      className={asked && findings.length > 0 ? 'pa-foot-words pa-demo' : 'pa-hidden'}
      data-pa="missing"
    >
      {findings.length > 0 && namesOf(findings)}
    </p>
  );
}

function NextOpen({ finding }: { finding: Finding }): React.JSX.Element {
  return (
    <Button kind="plain" data-pa="next-open" onPress={() => chooseFinding(finding)}>
      <span>{t('panel.nextOpen', { finding: findingName(finding) })}</span>
      <Icon name="next" />
    </Button>
  );
}

/** Where the newest saved review is, and whether something is not in it. */
function SavedReview({ session }: { session: Session }): React.JSX.Element {
  const review = session.answer?.review;
  const mine = review && review.job_id === session.answer?.result?.job_id ? review : null;
  const unsaved = isUnsaved(session) ? [t('panel.unsaved')] : [];
  const saved =
    mine === null
      ? []
      : [
          t(`panel.review_${mine.state}`, {
            version: mine.version,
            name: mine.by,
            at: dateTime(mine.at),
            error: mine.error,
          }),
        ];
  return (
    <p className="pa-foot-words pa-small pa-soft" data-pa="saved">
      {[...saved, ...unsaved].join(' · ') || t('panel.nothingSaved', { name: session.person?.name ?? '' })}
    </p>
  );
}

function SaveMessage(): React.JSX.Element | null {
  const saving = useSession((session) => session.saving);
  const message = useSession((session) => session.message);
  const review = useSession((session) => session.answer?.review ?? null);
  if (message === '' || (saving !== 'conflict' && saving !== 'failed')) return null;
  const theirs =
    review === null ? [] : [t('panel.theirs', { version: review.version, name: review.by, at: dateTime(review.at) })];
  return (
    <Message kind={saving === 'conflict' ? 'warning' : 'bad'} urgent name={saving}>
      <p>{message}</p>
      {saving === 'conflict' && <p className="pa-soft">{[...theirs, t('panel.draftIsKept')].join(' ')}</p>}
      <div className="pa-message-row">
        {saving === 'conflict' ? (
          <Button icon="turn" data-pa="load-theirs" onPress={() => void reload()}>
            {t('panel.loadTheirs')}
          </Button>
        ) : (
          <Button onPress={() => store.set({ saving: 'no', message: '' })}>{t('panel.close')}</Button>
        )}
      </div>
    </Message>
  );
}

function OfferedDraft(): React.JSX.Element | null {
  const offered = useSession((session) => session.offered);
  if (offered === null) return null;
  return (
    <Message kind="warning" name="offered">
      <p>{t('panel.offered', { count: Object.keys(offered.draft.findings).length })}</p>
      <div className="pa-message-row">
        <Button data-pa="take-offered" onPress={() => takeOffered(true)}>
          {t('panel.takeOffered')}
        </Button>
        <Button onPress={() => takeOffered(false)}>{t('panel.dropOffered')}</Button>
      </div>
    </Message>
  );
}

/** Why there is nothing to save with. */
function WhyNot(): React.JSX.Element {
  const source = useSession((session) => session.source);
  const person = useSession((session) => session.person);
  const login = useSession((session) => session.login);
  if (source === 'sr' && login === null) return <p className="pa-soft">{t('core.saveNeedsAgent')}</p>;
  if (person !== null) return <p className="pa-soft">{t('panel.mayOnlyRead')}</p>;
  return (
    <p className="pa-row">
      <span className="pa-grow pa-soft">{t('panel.loginToReview')}</span>
      {login !== null && <LoginLink login={login} />}
    </p>
  );
}
