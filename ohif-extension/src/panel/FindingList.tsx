/** The findings: those to be handled, then, folded, those the model did not find and those it did not look for. */
import { useRef, useState } from 'react';
import type { Finding, Result } from '../api/types';
import { t } from '../i18n';
import { mayReview, reviewOf, sortedFindings } from '../store/derived';
import { isStaging, isWithoutTumour, notAssessed } from '../store/staging';
import { store } from '../store/store';
import { keyFor } from '../viewport/keys';
import { Button } from './Button';
import { FindingForm } from './FindingForm';
import { FindingRow } from './FindingRow';
import { Fold } from './Fold';
import { closeForm, openedForm, openForm } from './form';
import { useObserved } from './observed';
import { walk } from './roving';
import { useSession } from './useSession';
import { itemName } from './words';

const HEADS = '.pa-finding-head';

export function FindingList({ result }: { result: Result }): React.JSX.Element {
  const findings = sortedFindings(result);
  const draft = useSession((session) => session.draft);
  const answer = useSession((session) => session.answer);
  const staging = isStaging(result);
  const stands = ({ key, presence }: Finding): boolean =>
    staging || presence !== 'absent' || reviewOf({ ...store.get(), draft, answer }, key)?.edited !== undefined;
  const standing = findings.filter(stands);
  const absent = findings.filter((finding) => !stands(finding));
  const reviewer = useSession(mayReview);
  const form = useObserved(openedForm);
  const toggleAdd = (): void => {
    if (form === 'add') closeForm();
    else openForm('add');
  };
  const list = useRef<HTMLDivElement>(null);
  const roving = useRoving(standing[0] ?? absent[0]);
  return (
    <div ref={list} onKeyDown={(event) => walk(event, list.current, HEADS)} onFocus={roving.follow}>
      <div className="pa-section-head pa-section-bare">
        <h3>{t(staging ? 'panel.staging' : 'panel.findings')}</h3>
        {reviewer && (
          <Button
            icon="add"
            kind="plain"
            shortcut={keyFor('add')}
            onPress={toggleAdd}
            data-pa="add"
            aria-expanded={form === 'add'}
          >
            {t('panel.add')}
          </Button>
        )}
      </div>
      {form === 'add' && <FindingForm result={result} />}
      {standing.length === 0 && <p className="pa-section pa-soft">{t('panel.nothingPresent')}</p>}
      <Rows findings={standing} result={result} reached={roving.reached} label={t('panel.findingsToHandle')} />
      {staging && <NotAssessed result={result} />}
      {absent.length > 0 && (
        <Fold title={t('panel.absentFindings', { count: absent.length })} name="absent">
          <Rows findings={absent} result={result} reached={roving.reached} label={t('panel.absentLabel')} />
        </Fold>
      )}
    </div>
  );
}

/** The items of staging of which nothing is said; nothing where there are none. */
function NotAssessed({ result }: { result: Result }): React.JSX.Element | null {
  const items = notAssessed(result).map(itemName).join(', ');
  if (items === '') return null;
  return (
    <p className="pa-section pa-soft" data-pa="not-assessed">
      {t(isWithoutTumour(result) ? 'panel.notAssessedWithoutTumour' : 'panel.notAssessed', { items })}
    </p>
  );
}

interface RowsProps {
  findings: Finding[];
  result: Result;
  reached: string | undefined;
  label: string;
}

function Rows({ findings, result, reached, label }: RowsProps): React.JSX.Element {
  return (
    <ul aria-label={label}>
      {findings.map((finding) => (
        <FindingRow key={finding.key} finding={finding} result={result} reached={finding.key === reached} />
      ))}
    </ul>
  );
}

/** One row is reached by Tab: the one that had the focus last, else the selected one, else the first. */
function useRoving(first: Finding | undefined): {
  reached: string | undefined;
  follow: (event: React.FocusEvent) => void;
} {
  const selected = useSession((session) => session.selected);
  const [focused, setFocused] = useState<string | null>(null);
  const follow = (event: React.FocusEvent): void => {
    const row = event.target.closest<HTMLElement>('[data-finding]');
    if (row?.dataset['finding'] !== undefined) setFocused(row.dataset['finding']);
  };
  return { reached: focused ?? selected ?? first?.key, follow };
}
