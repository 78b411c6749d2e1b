/** The sheet of keys. A modal dialog: the browser keeps the focus inside and gives it back. */
import { useEffect, useRef } from 'react';
import { t } from '../i18n';
import { store } from '../store/store';
import { KEYS } from '../viewport/keys';
import { Button } from './Button';
import { useSession } from './useSession';

const close = (): void => store.set({ sheet: false });

export function KeySheet(): React.JSX.Element | null {
  const open = useSession((session) => session.sheet);
  return open ? <Sheet /> : null;
}

function Sheet(): React.JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="pa-sheet"
      aria-labelledby="pa-sheet-title"
      data-pa="sheet"
      onClose={close}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === 'Escape' || event.key === '?') close();
      }}
      onClick={(event) => {
        if (event.target === event.currentTarget) close();
      }}
    >
      <div className="pa-section-head">
        <h3 id="pa-sheet-title">{t('panel.keys')}</h3>
        <Button icon="reject" kind="icon" aria-label={t('panel.close')} onPress={close} data-pa="close-sheet" />
      </div>
      <dl className="pa-keys">
        {KEYS.map(({ key, also, label }) => (
          <div key={key}>
            <dt>
              <kbd className="pa-key">{key}</kbd>
              {also !== undefined && (
                <>
                  {' '}
                  <kbd className="pa-key">{also}</kbd>
                </>
              )}
            </dt>
            <dd>{t(label)}</dd>
          </div>
        ))}
      </dl>
      <p className="pa-soft pa-sheet-note">{t('panel.keysNote')}</p>
    </dialog>
  );
}
