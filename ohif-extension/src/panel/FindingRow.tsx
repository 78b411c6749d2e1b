/** One finding of the list: what the model says in four lines; selected, also on which slices, and what to do with it. */
import { memo, useEffect, useRef } from 'react';
import type { Finding, Result } from '../api/types';
import { t } from '../i18n';
import { select } from '../store/actions';
import { percent, reviewOf, topEvidence } from '../store/derived';
import { slicesRead } from '../store/series';
import { distancesOf, isStaging } from '../store/staging';
import { store } from '../store/store';
import { showDistance, showPoint } from '../viewport/point';
import { FindingOpen } from './FindingOpen';
import { closeForm } from './form';
import { Handled } from './Handled';
import { useHinted } from './hinted';
import { PresenceGlyph } from './Icon';
import { ProbabilityBar } from './ProbabilityBar';
import { SliceBars } from './SliceBars';
import { useSession } from './useSession';
import { decimal, details, findingName, levelWord, likelyWord, presenceWord } from './words';

interface Props {
  finding: Finding;
  result: Result;
  /** Tab leads here. */
  reached: boolean;
}

export const FindingRow = memo(function FindingRow({ finding, result, reached }: Props): React.JSX.Element {
  const { key } = finding;
  const selected = useSession((session) => session.selected === key);
  const review = useSession((session) => reviewOf(session, key));
  const unsaved = useSession((session) => session.draft.findings[key] !== undefined);
  const hinted = useHinted(key);
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (selected) show(row.current);
  }, [selected]);
  return (
    <li
      ref={row}
      className="pa-finding"
      data-pa="finding"
      data-finding={key}
      data-action={review?.action ?? 'none'}
      data-selected={selected}
      data-hinted={hinted}
    >
      <h4 className="pa-finding-title">
        <button
          type="button"
          className="pa-finding-head"
          aria-expanded={selected}
          tabIndex={reached ? 0 : -1}
          onClick={() => (selected ? fold() : chooseFinding(finding))}
        >
          <PresenceGlyph presence={finding.presence} />
          <span className="pa-name">{findingName(finding)}</span>
          {isStaging(result) ? <Level finding={finding} result={result} /> : <Said finding={finding} />}
          {!selected && review !== null && <Handled review={review} finding={finding} unsaved={unsaved} />}
          {!isStaging(result) && <ProbabilityBar finding={finding} />}
          {!selected && <SliceBars finding={finding} result={result} />}
        </button>
      </h4>
      {selected && <FindingOpen finding={finding} result={result} review={review} unsaved={unsaved} />}
    </li>
  );
});

/**
 * Selects a finding and shows where it is strongest in the slice on which it rests most; where that is not known, the
 * first distance that was measured of it.
 */
export function chooseFinding(finding: Finding): void {
  closeForm();
  select(finding.key);
  const best = topEvidence(finding, 1)[0];
  const result = store.get().answer?.result;
  const distance = result && distancesOf(result, finding).find(({ index, ends_mm }) => index !== null && ends_mm);
  const measuredOn = result && slicesRead(result)[distance?.index ?? -1];
  if (!best?.peak_mm && measuredOn && distance?.ends_mm) void showDistance(measuredOn, distance.ends_mm);
  else if (best !== undefined) void showPoint(best, best.peak_mm);
}

function fold(): void {
  closeForm();
  select(null);
}

function Said({ finding }: { finding: Finding }): React.JSX.Element {
  return (
    <>
      <span className="pa-number">{percent(finding.probability)}</span>
      <span className="pa-words">
        <b className={`pa-${finding.presence}`}>{presenceWord(finding.presence)}</b>
        {details(finding, finding.grades).map((word) => ` · ${word}`)}
      </span>
    </>
  );
}

/** An item of staging: its level; below, how sure that is, and what was measured. */
function Level({ finding, result }: { finding: Finding; result: Result }): React.JSX.Element {
  const { presence, probability } = finding;
  const lengths = distancesOf(result, finding).map(({ value_mm }) => t('panel.millimetres', { value: decimal(value_mm) }));
  const said = [
    ...(presence === 'uncertain' ? [presenceWord(presence)] : []),
    t('panel.levelProbability', { level: likelyWord(finding), probability: percent(probability) }),
    ...lengths,
  ];
  return (
    <>
      <b className={`pa-level pa-${presence}`} data-pa="level">
        {levelWord(finding)}
      </b>
      <span className="pa-words">{said.join(' · ')}</span>
    </>
  );
}

/** Brings a row that was selected by a key into view; the focus follows only where it was in the list before. */
function show(row: HTMLElement | null): void {
  row?.scrollIntoView({ block: 'nearest' });
  const focused = document.activeElement;
  if (row === null || focused === null || row.contains(focused)) return;
  if (focused.matches('.pa-finding-head'))
    row.querySelector<HTMLElement>('.pa-finding-head')?.focus({ preventScroll: true });
}
