/** Why a finding is rejected. Without a reason nothing is rejected. */
import { useRef, useState } from 'react';
import type { Finding } from '../api/types';
import { t } from '../i18n';
import { reject } from '../store/actions';
import { Button } from './Button';
import { closeForm } from './form';
import { useFormFocus } from './formFocus';
import { findingName, REASONS, reasonWord } from './words';

export function RejectReasons({ finding }: { finding: Finding }): React.JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  useFormFocus(box, 'button', '.pa-finding-head');
  const because = (reason: string): void => {
    reject(finding.key, reason);
    closeForm();
  };
  return (
    <div
      ref={box}
      className="pa-form"
      role="group"
      aria-label={t('panel.whyRejected', { finding: findingName(finding) })}
      data-pa="reasons"
      onKeyDown={(event) => onKey(event, box.current, because)}
    >
      <p className="pa-label">{t('panel.why')}</p>
      <div className="pa-reasons">
        {REASONS.map((reason, at) => (
          <Button
            key={reason}
            shortcut={String(at + 1)}
            data-pa="reason"
            data-reason={reason}
            onPress={() => because(reason)}
          >
            {reasonWord(reason)}
          </Button>
        ))}
        <OtherReason because={because} />
      </div>
    </div>
  );
}

function OtherReason({ because }: { because: (reason: string) => void }): React.JSX.Element {
  const [text, setText] = useState('');
  const reason = text.trim();
  return (
    <form
      className="pa-row"
      onSubmit={(event) => {
        event.preventDefault();
        if (reason !== '') because(reason);
      }}
    >
      <input
        className="pa-field pa-grow"
        aria-label={t('panel.otherReason')}
        placeholder={t('panel.otherReason')}
        maxLength={200}
        value={text}
        onChange={(event) => setText(event.target.value)}
        data-pa="reason-text"
      />
      <button type="submit" className="pa-button" aria-disabled={reason === '' || undefined} data-pa="reason-other">
        {t('panel.reject')}
      </button>
    </form>
  );
}

/** Digits choose, arrows walk, Escape closes; in the text field only Escape is ours. */
function onKey(event: React.KeyboardEvent, box: HTMLElement | null, because: (reason: string) => void): void {
  event.stopPropagation();
  if (event.key === 'Escape') {
    closeForm();
    return;
  }
  if (event.target instanceof HTMLInputElement) return;
  const reason = REASONS[Number(event.key) - 1];
  if (reason !== undefined) {
    because(reason);
    return;
  }
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0 || box === null) return;
  const buttons = [...box.querySelectorAll<HTMLElement>('[data-pa="reason"]')];
  const at = buttons.findIndex((button) => button === event.target) + step;
  buttons[(at + buttons.length) % buttons.length]?.focus();
  event.preventDefault();
}
