/** What a finding weighs on each slice, from head to foot: small in the list, larger and to be walked along when open. */
import { useMemo } from 'react';
import type { Finding, Result } from '../api/types';
import { t } from '../i18n';
import { percent } from '../store/derived';
import { otherSeries, seriesOf, seriesRead, type SeriesRead } from '../store/series';
import { jumpTo } from '../viewport/navigate';
import { barsPath, binned, headToFoot, placeOf, positionInWords, sliceNumber, type Place } from './axis';
import { Fold } from './Fold';
import { useSession } from './useSession';
import { seriesName } from './words';

const BINS = 120;
const KEYS: Readonly<Record<string, number>> = {
  ArrowRight: 1,
  ArrowDown: 1,
  ArrowLeft: -1,
  ArrowUp: -1,
  PageDown: 10,
  PageUp: -10,
};

interface Props {
  finding: Finding;
  result: Result;
}

/** Of the first of the series on which the finding rests. */
export function SliceBars({ finding, result }: Props): React.JSX.Element {
  const weights = useMemo(() => {
    const [read] = seriesOf(result, finding);
    return read === undefined ? [] : headToFoot(read, finding).map(({ weight }) => weight);
  }, [finding, result]);
  const path = useMemo(() => barsPath(binned(weights, BINS)), [weights]);
  const width = Math.max(1, Math.min(BINS, weights.length));
  return (
    <svg
      className="pa-slices"
      viewBox={`0 0 ${width} 1`}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      <path className="pa-slices-path" d={path} />
    </svg>
  );
}

/** Of more series than this each strip is low. */
const HIGH_STRIPS = 2;

/** One slider for each series on which the finding rests, the others in a fold; named where several were read. */
export function SliceAxes({ finding, result }: Props): React.JSX.Element {
  const series = useMemo(() => seriesOf(result, finding), [finding, result]);
  const others = useMemo(() => otherSeries(result, finding), [finding, result]);
  const isNamed = useMemo(() => seriesRead(result).length > 1, [result]);
  const axes = (read: readonly SeriesRead[]): React.JSX.Element[] =>
    read.map((each) => <SliceAxis key={each.first} finding={finding} read={each} isNamed={isNamed} />);
  return (
    <div className="pa-axes" data-low={series.length > HIGH_STRIPS}>
      {axes(series)}
      {others.length > 0 && (
        <Fold title={t('panel.otherSeriesRead', { count: others.length })} name="other-series">
          {axes(others)}
        </Fold>
      )}
    </div>
  );
}

interface AxisProps {
  finding: Finding;
  read: SeriesRead;
  isNamed: boolean;
}

/** A slider along the slices of a series: its value is the slice in the viewport. */
function SliceAxis({ finding, read, isNamed }: AxisProps): React.JSX.Element {
  const places = useMemo(() => headToFoot(read, finding), [finding, read]);
  const plane = read.series.plane ?? 'axial';
  const name = seriesName(read.series);
  const label = t(`panel.axis_${plane}`);
  const now = placeOf(
    places,
    useSession((session) => session.current),
  );
  const go = (at: number): void => {
    const place = places[Math.min(places.length - 1, Math.max(0, at))];
    if (place !== undefined) void jumpTo(place.slice.sop_instance_uid, place.slice.frame_number ?? undefined);
  };
  return (
    <div data-pa="strip-of-series" data-series={read.series.series_instance_uid} data-shown={now >= 0}>
      {isNamed && <p className="pa-axis-name">{name}</p>}
      <div
        className="pa-axis"
        role="slider"
        tabIndex={0}
        aria-label={isNamed ? `${name}. ${label}` : label}
        aria-valuemin={1}
        aria-valuemax={places.length}
        aria-valuenow={Math.max(0, now) + 1}
        aria-valuetext={placeInWords(places[now])}
        data-pa="axis"
        onClick={(event) => go(placeAt(event, places.length))}
        onKeyDown={(event) => {
          const at = keyTarget(event.key, now, places.length);
          if (at === null) return;
          event.preventDefault();
          event.stopPropagation();
          go(at);
        }}
      >
        <AxisPicture places={places} finding={finding} now={now} />
      </div>
      <div className="pa-axis-ends" aria-hidden="true">
        <span>{t(`panel.from_${plane}`)}</span>
        <span>{placeInWords(places[now])}</span>
        <span>{t(`panel.to_${plane}`)}</span>
      </div>
    </div>
  );
}

/** A slice that counts as evidence is to be seen even where its weight is small. */
const LEAST_HEIGHT = 0.06;

function AxisPicture({ places, finding, now }: { places: Place[]; finding: Finding; now: number }): React.JSX.Element {
  const [others, best] = useMemo(() => {
    const rests = new Set(finding.evidence.map(({ index }) => index));
    return [
      barsPath(places.map(({ index, weight }) => (rests.has(index) ? 0 : weight))),
      barsPath(places.map(({ index, weight }) => (rests.has(index) ? Math.max(weight, LEAST_HEIGHT) : 0))),
    ];
  }, [places, finding]);
  return (
    <svg
      viewBox={`0 0 ${Math.max(1, places.length)} 1`}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      <path className="pa-slices-path" d={others} />
      <path className="pa-slices-best" d={best} />
      {now >= 0 && (
        <line className="pa-axis-now" x1={now + 0.5} x2={now + 0.5} y1="0" y2="1" vectorEffect="non-scaling-stroke" />
      )}
    </svg>
  );
}

/** The place under the pointer. */
function placeAt(event: React.MouseEvent<HTMLElement>, count: number): number {
  const box = event.currentTarget.getBoundingClientRect();
  return box.width === 0 ? 0 : Math.floor(((event.clientX - box.left) / box.width) * count);
}

/** Where a key leads from the slice on display; null for other keys. */
function keyTarget(key: string, now: number, count: number): number | null {
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  const step = KEYS[key];
  return step === undefined ? null : Math.max(0, now) + step;
}

function placeInWords(place: Place | undefined): string {
  if (place === undefined) return t('panel.otherSeries');
  const values = {
    number: sliceNumber(place.slice, place.at),
    z: positionInWords(place.slice.z_mm),
    weight: percent(place.weight),
  };
  return t('panel.sliceInWords', values);
}
