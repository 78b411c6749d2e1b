/** What a segmenter measured: under the finding it measures, and what belongs to no finding of the list in a fold. */
import type { Finding, Region, Result } from '../api/types';
import { between } from '../geometry/vector';
import { t } from '../i18n';
import { slicesRead } from '../store/series';
import { showPoint } from '../viewport/point';
import { sliceNumber } from './axis';
import { Fold } from './Fold';
import { SliceButton } from './SliceButton';
import { decimal, findingName, sideWord } from './words';

/** The regions of a finding; nothing where none was outlined. */
export function Measured({ finding, result }: { finding: Finding; result: Result }): React.JSX.Element | null {
  const regions = regionsOf(result).filter((region) => region.finding === finding.key);
  if (regions.length === 0) return null;
  const label = t('panel.measurementsOf', { finding: findingName(finding) });
  return <Regions regions={regions} result={result} label={label} />;
}

/** Organs, and regions of findings that this model does not know. */
export function OtherRegions({ result }: { result: Result }): React.JSX.Element | null {
  const keys = new Set(result.findings.map(({ key }) => key));
  const regions = regionsOf(result).filter(({ finding }) => finding === null || !keys.has(finding));
  if (regions.length === 0) return null;
  const title = t('panel.organs', { count: regions.length });
  const model = result.measurements?.model;
  return (
    <Fold title={title} name="organs">
      <Regions regions={regions} result={result} label={title} />
      {model && <p className="pa-soft">{t('panel.outlinedBy', { model: `${model.name} ${model.version}` })}</p>}
    </Fold>
  );
}

function regionsOf({ measurements }: Result): readonly Region[] {
  return measurements?.regions ?? [];
}

interface RegionsProps {
  regions: readonly Region[];
  result: Result;
  label: string;
}

function Regions({ regions, result, label }: RegionsProps): React.JSX.Element {
  return (
    <ul className="pa-regions" aria-label={label} data-pa="regions">
      {regions.map((region) => (
        <li key={region.segment_number}>
          <RegionLine region={region} result={result} />
          {!region.stated && <span className="pa-soft"> {t('panel.notStated')}</span>}
        </li>
      ))}
    </ul>
  );
}

/** Name and numbers; a press leads to the middle of the longest diameter, in the slice in which it was measured. */
function RegionLine({ region, result }: { region: Region; result: Result }): React.JSX.Element {
  const slice = slicesRead(result)[region.diameter_index];
  const [name, values] = [regionName(region), numbersOf(region).join(' · ')];
  const words = (
    <>
      <b>{name}</b> {values}
    </>
  );
  if (slice === undefined) return <span>{words}</span>;
  const number = sliceNumber(slice, region.diameter_index);
  const ends = region.diameter_ends_mm;
  const middle = ends ? between(...ends) : null;
  const label = t('panel.toDiameter', { region: name, values, slice: number });
  return (
    <SliceButton name="region" slice={slice} label={label} onPress={() => void showPoint(slice, middle)}>
      {words}
    </SliceButton>
  );
}

function regionName({ name, kind, number, side }: Region): string {
  const counted = kind === 'lesion' ? `${name} ${number}` : name;
  return side === '' ? counted : `${counted}, ${sideWord(side)}`;
}

/** A lesion by its diameters first; an organ has none worth saying. */
function numbersOf({ kind, longest_diameter_mm, short_diameter_mm, volume_ml, mean_hu }: Region): string[] {
  const diameters = t('panel.diameters', { longest: decimal(longest_diameter_mm), short: decimal(short_diameter_mm) });
  return [
    ...(kind === 'lesion' ? [diameters] : []),
    t('panel.volume', { volume: decimal(volume_ml) }),
    ...(mean_hu === null ? [] : [t('panel.meanDensity', { mean: Math.round(mean_hu) })]),
  ];
}
