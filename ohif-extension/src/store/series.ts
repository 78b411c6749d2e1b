/** The series of a result: which slice is of which, and in what order they are shown. */
import type { Evidence, Finding, Plane, Result, Series, Slice } from '../api/types';

/** A series that was read, and the index of its first slice among all of them. */
export interface SeriesRead {
  readonly series: Series;
  readonly first: number;
}

const ORDER: readonly Plane[] = ['axial', 'sagittal', 'coronal', 'oblique'];

/** All slices that were read, in the order of the model: slice i is that of every index and weight. */
export function slicesRead({ series, further_series = [] }: Result): readonly Slice[] {
  return further_series.length === 0 ? series.slices : [series, ...further_series].flatMap(({ slices }) => slices);
}

/** The series that were read: axial, sagittal, coronal, oblique; those of one plane in the order of the model. */
export function seriesRead({ series, further_series = [] }: Result): SeriesRead[] {
  let first = 0;
  const all = [series, ...further_series].map((each) => {
    const read = { series: each, first };
    first += each.slices.length;
    return read;
  });
  return all.sort((a, b) => rank(a) - rank(b));
}

/** The series on which a finding rests; where it rests on none, the first that was read. */
export function seriesOf(result: Result, finding: Pick<Finding, 'evidence'>): SeriesRead[] {
  const all = seriesRead(result);
  const rests = all.filter((each) => finding.evidence.some(({ index }) => isIn(each, index)));
  return rests.length > 0 ? rests : all.slice(0, 1);
}

/** Those on which it does not rest, where it rests on any. */
export function otherSeries(result: Result, finding: Pick<Finding, 'evidence'>): SeriesRead[] {
  const rests = new Set(seriesOf(result, finding).map(({ first }) => first));
  return seriesRead(result).filter(({ first }) => !rests.has(first));
}

/** The strongest slice of a finding in each series, the strongest first. */
export function bestOfEach(result: Result, finding: Pick<Finding, 'evidence'>): Evidence[] {
  const strongestFirst = [...finding.evidence].sort((a, b) => b.weight - a.weight);
  return seriesRead(result)
    .flatMap((each) => strongestFirst.find(({ index }) => isIn(each, index)) ?? [])
    .sort((a, b) => b.weight - a.weight);
}

/** The series of a slice; undefined where no such slice was read. */
export function seriesAt(result: Result, index: number): SeriesRead | undefined {
  return seriesRead(result).find((each) => isIn(each, index));
}

function isIn({ series, first }: SeriesRead, index: number): boolean {
  return index >= first && index < first + series.slices.length;
}

/** Older answers do not tell the plane; what they tell of was axial. */
function rank({ series }: SeriesRead): number {
  return ORDER.indexOf(series.plane ?? 'axial');
}
