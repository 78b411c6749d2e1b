/** Whose words these are, from which model, and how the panel hears of changes. */
import { dateTime, t } from '../i18n';
import { store, type Connection } from '../store/store';
import { keyFor } from '../viewport/keys';
import { Icon } from './Icon';
import { Message } from './Message';
import { useSession } from './useSession';

export function Header(): React.JSX.Element {
  const connection = useSession((session) => session.connection);
  const source = useSession((session) => session.source);
  const answered = useSession((session) => session.answer !== null);
  const names = useSession((session) => session.others).join(', ');
  return (
    <header className="pa-head">
      <div className="pa-head-row">
        <h2 className="pa-title">{t('panel.title')}</h2>
        <span className="pa-others" title={names === '' ? undefined : t('panel.others', { names })} data-pa="others">
          {names !== '' && t('panel.alsoHere', { names })}
        </span>
        {answered && <ConnectionState connection={source === 'sr' ? 'offline' : connection} />}
        <button
          type="button"
          className="pa-button pa-button-icon"
          aria-label={t('panel.keys')}
          title={t('panel.keys')}
          aria-keyshortcuts={keyFor('sheet')}
          data-pa="help"
          onClick={() => store.set({ sheet: true })}
        >
          <kbd className="pa-key" aria-hidden="true">
            {keyFor('sheet')}
          </kbd>
        </button>
      </div>
      <Mark />
    </header>
  );
}

function ConnectionState({ connection }: { connection: Connection }): React.JSX.Element {
  return (
    <span
      className="pa-link-state"
      data-pa="connection"
      data-state={connection}
      title={t(`panel.connectionLong_${connection}`)}
    >
      <Icon name={connection === 'offline' ? 'parted' : 'linked'} />
      {t(`panel.connection_${connection}`)}
    </span>
  );
}

/** AI until a person verified it; a demo model is one for good. */
function Mark(): React.JSX.Element | null {
  const result = useSession((session) => session.answer?.result ?? null);
  const review = useSession((session) => session.answer?.review ?? null);
  if (result === null) return null;
  const verified = review !== null && review.verified && review.job_id === result.job_id;
  return (
    <div data-pa="mark">
      <p className="pa-mark">
        <span className={verified ? 'pa-badge pa-badge-verified' : 'pa-badge'}>
          {verified ? t('panel.verifiedBy', { name: review.by }) : t('panel.unverified')}
        </span>
        {verified && <span className="pa-soft pa-small">{dateTime(review.at)}</span>}
        {result.model.demo && <strong className="pa-demo">{t('panel.demo')}</strong>}
      </p>
      <p className="pa-soft pa-small">
        {result.model.name} {result.model.version} · {dateTime(result.created_at)}
      </p>
      {typeof result.recalled === 'string' && (
        <Message kind="bad" urgent name="recalled">
          {t('panel.recalled', { reason: result.recalled })}
        </Message>
      )}
    </div>
  );
}
