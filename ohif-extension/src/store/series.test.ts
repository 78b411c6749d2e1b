import { describe, expect, it } from 'vitest';
import type { Evidence, Plane, Result, Series, Slice } from '../api/types';
import { seriesAt, seriesOf, seriesRead, slicesRead } from './series';

function series(uid: string, plane: Plane | undefined, count: number): Series {
  const slices = Array.from({ length: count }, (_, at) => ({ sop_instance_uid: `${uid}.${at}` }) as Slice);
  return { series_instance_uid: uid, frame_of_reference_uid: '1.9', description: uid, ...(plane && { plane }), slices };
}

const oblique = series('oblique', 'oblique', 2);
const several = { series: oblique, further_series: [series('sagittal', 'sagittal', 3), series('axial', 'axial', 4)] } as Result;
const resting = (...indices: number[]) => ({ evidence: indices.map((index) => ({ index }) as Evidence) });
const names = (read: readonly { series: Series }[]) => read.map((each) => each.series.series_instance_uid);

describe('the series of a result', () => {
  it('are shown axial, sagittal, coronal, oblique, and keep the indices of the model', () => {
    expect(seriesRead(several).map(({ series: each, first }) => [each.plane, first])).toEqual([
      ['axial', 5],
      ['sagittal', 2],
      ['oblique', 0],
    ]);
    for (const { series: each, first } of seriesRead(several)) {
      expect(slicesRead(several).slice(first, first + each.slices.length)).toEqual(each.slices);
    }
  });

  it('are those on which a finding rests, or the first', () => {
    expect(names(seriesOf(several, resting(1, 8)))).toEqual(['axial', 'oblique']);
    expect(names(seriesOf(several, resting(2)))).toEqual(['sagittal']);
    expect(names(seriesOf(several, resting()))).toEqual(['axial']);
  });

  it('are found by the index of a slice', () => {
    expect([0, 2, 8, 9].map((index) => seriesAt(several, index)?.series.plane)).toEqual(['oblique', 'sagittal', 'axial', undefined]);
  });

  it('of an older answer are one, whose slices are the same list', () => {
    const one = { series: series('one', undefined, 5) } as Result;
    expect(slicesRead(one)).toBe(one.series.slices);
    expect(seriesOf(one, resting(3))).toEqual([{ series: one.series, first: 0 }]);
  });
});
