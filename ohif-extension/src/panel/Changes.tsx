/** What changed since the prior study: under each finding, with both dates; a press leads to the slices of both. */
import type { ChangeOfFinding, Finding, Result } from '../api/types';
import { day, t, type TextKey } from '../i18n';
import { isOpen } from '../viewport/navigate';
import { showBoth } from '../viewport/point';
import { SliceButton } from './SliceButton';
import { decimal, findingName, gradeWord, sideWord } from './words';

interface Props {
  finding: Finding;
  result: Result;
}

/** The changes of a finding; nothing where none is said of it. */
export function Changes({ finding, result }: Props): React.JSX.Element | null {
  const since = result.since_prior;
  const changes = since?.findings.filter((change) => change.finding === finding.key) ?? [];
  if (!since || changes.length === 0) return null;
  const date = day(since.prior_study_date ?? '');
  return (
    <ul className="pa-regions" aria-label={t('panel.sincePrior', { finding: findingName(finding) })} data-pa="changes">
      {changes.map((change) => (
        <li key={`${change.change} ${change.sides.join()}`}>
          <ChangeLine change={change} finding={finding} words={wordsOf(change, finding, date)} />
        </li>
      ))}
    </ul>
  );
}

/** Why nothing is compared with the prior study; nothing where it is, or where there is none. */
export function NotCompared({ result }: { result: Result }): React.JSX.Element | null {
  const { not_compared: why = '', prior_study_date = null } = result.since_prior ?? {};
  if (why === '') return null;
  const said = prior_study_date === null ? why : t('panel.notCompared', { date: day(prior_study_date), why });
  return (
    <p className="pa-section pa-soft" data-pa="not-compared">
      {said}
    </p>
  );
}

interface LineProps {
  change: ChangeOfFinding;
  finding: Finding;
  words: string;
}

/** Words alone where the viewer has not opened the prior study. */
function ChangeLine({ change, finding, words }: LineProps): React.JSX.Element {
  const slice = change.prior_slices[0];
  if (slice === undefined || !isOpen(slice.sop_instance_uid)) return <span>{words}</span>;
  const [now] = change.slices;
  const evidence = finding.evidence.find((each) => now && each.sop_instance_uid === now.sop_instance_uid);
  const label = t('panel.toPrior', { change: words });
  return (
    <SliceButton name="change" slice={slice} label={label} onPress={() => void showBoth(slice, evidence ?? null)}>
      {words}
    </SliceButton>
  );
}

function wordsOf(change: ChangeOfFinding, finding: Finding, date: string): string {
  const place = change.sides.length === 2 ? [t('panel.bothSides')] : change.sides.map(sideWord);
  const obstacle = change.obstacle === null ? [] : [t(`panel.obstacle_${change.obstacle}`)];
  return [...place, t(changeKey(change, finding), { date }), ...obstacle, ...valuesOf(change, finding)].join(' · ');
}

/** A grade that is no size makes nothing larger, and of presence alone no size is known. */
function changeKey({ change, by }: ChangeOfFinding, { grades }: Finding): TextKey {
  if (change === 'unchanged' && by === 'presence') return 'panel.change_also';
  if (by !== 'grade' || grades.at(-1) === 'large') return `panel.change_${change}`;
  if (change === 'larger') return 'panel.change_more';
  return change === 'smaller' ? 'panel.change_less' : `panel.change_${change}`;
}

function valuesOf({ by, value, prior_value }: ChangeOfFinding, { grades }: Finding): string[] {
  if (by === 'presence' || value === null || prior_value === null) return [];
  const [now, then] = [value, prior_value].map((each) => {
    if (by === 'grade') return gradeWord(grades[each] ?? '');
    return by === 'volume' ? t('panel.volume', { volume: decimal(each) }) : `${decimal(each)} mm`;
  });
  return [t('panel.nowAndThen', { now: now ?? '', then: then ?? '' })];
}
