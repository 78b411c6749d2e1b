/** Distances that the model measured: under the finding, in mm; a press leads all planes to where they lie. */
import type { Distance, Finding, Result } from '../api/types';
import { t } from '../i18n';
import { seriesAt, slicesRead } from '../store/series';
import { distancesOf } from '../store/staging';
import { showDistance } from '../viewport/point';
import { SliceButton } from './SliceButton';
import { decimal, distanceName, findingName, seriesInShort } from './words';

/** The distances of a finding; nothing where none was measured. */
export function Distances({ finding, result }: { finding: Finding; result: Result }): React.JSX.Element | null {
  const distances = distancesOf(result, finding);
  if (distances.length === 0) return null;
  return (
    <ul className="pa-regions" aria-label={t('panel.distancesOf', { finding: findingName(finding) })} data-pa="distances">
      {distances.map((distance, at) => (
        <li key={at}>
          <DistanceLine distance={distance} result={result} />
        </li>
      ))}
    </ul>
  );
}

/** Words alone where it is not known between which points it was measured. */
function DistanceLine({ distance, result }: { distance: Distance; result: Result }): React.JSX.Element {
  const { index, ends_mm: ends } = distance;
  const slice = index === null ? undefined : slicesRead(result)[index];
  const [name, value] = [distanceName(distance), t('panel.millimetres', { value: decimal(distance.value_mm) })];
  const words = (
    <>
      {name} <b>{value}</b>
    </>
  );
  if (index === null || slice === undefined || ends === undefined) return <span>{words}</span>;
  const series = seriesAt(result, index)?.series ?? result.series;
  const label = t('panel.toDistance', { distance: name, value, series: seriesInShort(series) });
  return (
    <SliceButton name="distance" slice={slice} label={label} onPress={() => void showDistance(slice, ends)}>
      {words}
    </SliceButton>
  );
}
