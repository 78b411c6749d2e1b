/** The slices on which a finding rests most, small, in the window in which it is seen: of several series one of each. */
import { useEffect, useState } from 'react';
import type { Evidence, Finding, Result, Series } from '../api/types';
import { t } from '../i18n';
import { percent, topEvidence } from '../store/derived';
import { bestOfEach, seriesAt, seriesRead, slicesRead } from '../store/series';
import { showPoint } from '../viewport/point';
import { positionInWords, sliceNumber } from './axis';
import { picture, windowOf, type CtWindow } from './rendered';
import { useSession } from './useSession';
import { findingName, seriesInShort, seriesName } from './words';

const SHOWN = 3;
/** Of several series: two rows. */
const SHOWN_OF_SERIES = 6;

export function Thumbnails({ finding, result }: { finding: Finding; result: Result }): React.JSX.Element {
  const ofSeveral = seriesRead(result).length > 1;
  const shown = ofSeveral ? bestOfEach(result, finding).slice(0, SHOWN_OF_SERIES) : topEvidence(finding, SHOWN);
  return (
    <div className="pa-thumbs" role="group" aria-label={t('panel.thumbnails', { finding: findingName(finding) })}>
      {shown.map((evidence) => (
        <Thumbnail
          key={`${evidence.sop_instance_uid} ${evidence.frame_number ?? ''}`}
          evidence={evidence}
          result={result}
          finding={finding}
          ofSeveral={ofSeveral}
        />
      ))}
    </div>
  );
}

interface Props {
  evidence: Evidence;
  result: Result;
  finding: Finding;
  ofSeveral: boolean;
}

function Thumbnail({ evidence, result, finding, ofSeveral }: Props): React.JSX.Element {
  const { sop_instance_uid: sop, frame_number: frame } = evidence;
  const shown = useSession(
    ({ current }) => current?.sopInstanceUid === sop && (frame === null || current.frame === frame),
  );
  const slice = slicesRead(result)[evidence.index];
  const { series, first } = seriesAt(result, evidence.index) ?? { ...result, first: 0 };
  const number = slice === undefined ? evidence.index + 1 : sliceNumber(slice, evidence.index - first);
  const z = slice === undefined ? '' : positionInWords(slice.z_mm);
  const inWords = t('panel.sliceInWords', { number, z, weight: percent(evidence.weight) });
  const label = ofSeveral ? `${seriesName(series)}. ${inWords}` : inWords;
  return (
    <button
      type="button"
      className="pa-thumb"
      data-pa="thumb"
      data-sop={sop}
      title={label}
      aria-current={shown || undefined}
      onClick={() => void showPoint(evidence, evidence.peak_mm)}
    >
      <span className="pa-thumb-picture">
        <Picture sop={sop} frame={frame} series={series} window={windowOf(finding, series)} />
        {evidence.peak_px !== null && slice !== undefined && (
          <Peak at={evidence.peak_px} rows={slice.rows} columns={slice.columns} />
        )}
      </span>
      <span className="pa-thumb-words">
        <span>
          <span className="pa-hidden">{t('panel.slice')} </span>
          {number}
        </span>
        <span className="pa-thumb-where">{ofSeveral ? seriesInShort(series) : z}</span>
      </span>
    </button>
  );
}

type Seen = { address: string } | 'asked' | 'none';

function Picture({
  sop,
  frame,
  series,
  window,
}: {
  sop: string;
  frame: number | null;
  series: Series;
  window: CtWindow | null;
}): React.JSX.Element {
  const study = useSession((session) => session.study);
  const [seen, setSeen] = useState<Seen>('asked');
  useEffect(() => {
    let wanted = true;
    const show = (next: Seen): void => {
      if (wanted) setSeen(next);
    };
    picture({ study, series: series.series_instance_uid, instance: sop, frame }, window).then(
      (address) => show({ address }),
      () => show('none'),
    );
    return () => void (wanted = false);
  }, [study, series.series_instance_uid, sop, frame, window]);
  if (seen === 'asked') return <span aria-hidden="true">…</span>;
  if (seen === 'none') return <span>{t('panel.noPicture')}</span>;
  return <img src={seen.address} alt="" draggable={false} />;
}

/** A ring where the heat is strongest; a picture of a slice that is not square stands in the middle of its square. */
function Peak({
  at: [row, column],
  rows,
  columns,
}: {
  at: [number, number];
  rows: number;
  columns: number;
}): React.JSX.Element {
  const side = Math.max(rows, columns);
  const left = (column + 0.5 + (side - columns) / 2) / side;
  const top = (row + 0.5 + (side - rows) / 2) / side;
  return <span className="pa-thumb-peak" style={{ left: `${left * 100}%`, top: `${top * 100}%` }} />;
}
