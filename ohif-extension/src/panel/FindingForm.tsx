/** The reader's own statement on a finding: in place of the model's, or of one that the model missed. */
import { useRef, useState } from 'react';
import type { Count, Edited, Finding, FindingReview, Presence, Result, Side } from '../api/types';
import { t } from '../i18n';
import { addFinding, edit, select } from '../store/actions';
import { sortedFindings } from '../store/derived';
import { seriesRead } from '../store/series';
import { headToFoot, placeOf, positionInWords, sliceNumber } from './axis';
import { Button } from './Button';
import { Choices, Ticks } from './Choices';
import { closeForm } from './form';
import { useFormFocus } from './formFocus';
import { useSession } from './useSession';
import {
  countWord,
  COUNTS,
  findingName,
  gradeWord,
  LOBES,
  lobeWord,
  PRESENCES,
  presenceWord,
  SIDES,
  sideWord,
} from './words';

const MAX_COMMENT = 1000;

interface Props {
  result: Result;
  /** The finding to be edited; without it, one is added. */
  finding?: Finding;
  review?: FindingReview | null;
}

export function FindingForm({ result, finding, review }: Props): React.JSX.Element {
  const missed = sortedFindings(result).filter(({ presence }) => presence === 'absent');
  const selected = useSession((session) => session.selected);
  const [key, setKey] = useState(
    finding?.key ?? missed.find((each) => each.key === selected)?.key ?? missed[0]?.key ?? '',
  );
  const said = finding ?? result.findings.find((each) => each.key === key);
  const [edited, setEdited] = useState<Edited>(() => startingPoint(finding, review));
  const change = (part: Partial<Edited>): void => setEdited({ ...edited, ...part });
  const box = useRef<HTMLFormElement>(null);
  useFormFocus(box, 'select, input:checked', finding === undefined ? '[data-pa="add"]' : '.pa-finding-head');
  const where = useCurrentSlice(result);
  const ready = said !== undefined && (finding !== undefined || where !== null);
  const label = finding === undefined ? t('panel.addTitle') : t('panel.editTitle', { finding: findingName(finding) });
  return (
    <form
      ref={box}
      className={finding === undefined ? 'pa-form pa-form-apart' : 'pa-form'}
      aria-label={label}
      data-pa={finding === undefined ? 'add-form' : 'edit-form'}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === 'Escape') closeForm();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        if (!ready) return;
        if (finding === undefined) add(key, edited);
        else edit(finding.key, settled(edited));
        closeForm();
      }}
    >
      {finding === undefined && (
        <Missed
          missed={missed}
          value={key}
          choose={(next) => {
            setKey(next);
            change({ grade: null, count: null, sides: [], lobes: [] });
          }}
          where={where}
        />
      )}
      {finding !== undefined && (
        <Choices<Presence>
          title={t('panel.presence')}
          name="presence"
          options={review?.action === 'added' ? ['present', 'uncertain'] : PRESENCES}
          value={edited.presence}
          words={presenceWord}
          choose={(presence) => change({ presence })}
        />
      )}
      {said !== undefined && edited.presence !== 'absent' && (
        <Attributes finding={said} edited={edited} change={change} />
      )}
      <label>
        <span className="pa-label">{t('panel.comment')}</span>
        <textarea
          className="pa-field"
          rows={2}
          maxLength={MAX_COMMENT}
          value={edited.comment}
          onChange={(event) => change({ comment: event.target.value })}
          data-pa="comment"
        />
      </label>
      <div className="pa-row">
        <button type="submit" className="pa-button pa-button-main" aria-disabled={!ready || undefined} data-pa="apply">
          {finding === undefined ? t('panel.addHere') : t('panel.apply')}
        </button>
        <Button onPress={() => void closeForm()}>{t('panel.cancel')}</Button>
      </div>
    </form>
  );
}

interface MissedProps {
  missed: Finding[];
  value: string;
  choose: (key: string) => void;
  where: string | null;
}

function Missed({ missed, value, choose, where }: MissedProps): React.JSX.Element {
  return (
    <>
      <label>
        <span className="pa-label">{t('panel.missedFinding')}</span>
        <select className="pa-field" value={value} onChange={(event) => choose(event.target.value)} data-pa="missed">
          {missed.map((each) => (
            <option key={each.key} value={each.key}>
              {findingName(each)}
            </option>
          ))}
        </select>
      </label>
      <p className={where === null ? 'pa-error' : 'pa-soft'}>
        {where === null ? t('core.noSlice') : t('panel.onSlice', { slice: where })}
      </p>
    </>
  );
}

interface AttributesProps {
  finding: Finding;
  edited: Edited;
  change: (part: Partial<Edited>) => void;
}

/** What can be said of this kind of finding, as its model knows it. */
function Attributes({ finding, edited, change }: AttributesProps): React.JSX.Element {
  const { applies } = finding;
  return (
    <>
      {applies.includes('side') && (
        <Ticks<Side>
          title={t('panel.side')}
          options={SIDES}
          values={edited.sides}
          words={sideWord}
          choose={(sides) =>
            change({ sides, lobes: edited.lobes.filter((lobe) => sides.some((side) => lobe.startsWith(side))) })
          }
        />
      )}
      {applies.includes('lobe') && (
        <Ticks<string>
          title={t('panel.lobe')}
          options={LOBES}
          values={edited.lobes}
          words={lobeWord}
          choose={(lobes) => change({ lobes, sides: sidesOf(lobes, edited.sides) })}
        />
      )}
      {applies.includes('grade') && finding.grades.length > 0 && (
        <Choices<number | null>
          title={t('panel.grade')}
          name="grade"
          options={[null, ...finding.grades.keys()]}
          value={edited.grade}
          words={(grade) => (grade === null ? t('panel.notSaid') : gradeWord(finding.grades[grade] ?? ''))}
          choose={(grade) => change({ grade })}
        />
      )}
      {applies.includes('count') && (
        <Choices<Count | null>
          title={t('panel.count')}
          name="count"
          options={[null, ...COUNTS]}
          value={edited.count}
          words={(count) => (count === null ? t('panel.notSaid') : countWord(count))}
          choose={(count) => change({ count })}
        />
      )}
    </>
  );
}

/** The sides are those of the lobes; without a lobe they stay. */
function sidesOf(lobes: readonly string[], sides: Side[]): Side[] {
  return lobes.length === 0 ? sides : SIDES.filter((side) => lobes.some((lobe) => lobe.startsWith(side)));
}

/** What the reader said before, else what the model says; of a missed finding only that it is there. */
function startingPoint(finding: Finding | undefined, review: FindingReview | null | undefined): Edited {
  if (review?.edited) return review.edited;
  if (finding === undefined)
    return { presence: 'present', sides: [], lobes: [], grade: null, count: null, comment: '' };
  const { presence, sides, lobes, grade, count } = finding;
  return { presence, sides, lobes, grade, count, comment: '' };
}

/** The slice on display in words; null while none of the series that was read is shown. */
function useCurrentSlice(result: Result): string | null {
  const current = useSession((session) => session.current);
  const places = seriesRead(result).flatMap((read) => headToFoot(read, { slice_weights: [] }));
  const place = places[placeOf(places, current)];
  return place === undefined ? null : `${sliceNumber(place.slice, place.at)}, ${positionInWords(place.slice.z_mm)}`;
}

function add(key: string, edited: Edited): void {
  addFinding(key, settled(edited));
  select(key);
}

/** What is absent has no place, grade or number. */
function settled(edited: Edited): Edited {
  const comment = edited.comment.trim();
  return edited.presence === 'absent'
    ? { presence: 'absent', sides: [], lobes: [], grade: null, count: null, comment }
    : { ...edited, comment };
}
