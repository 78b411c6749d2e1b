import { describe, expect, it } from 'vitest';
import { barsPath, binned, headToFoot, placeOf, positionInWords, sliceNumber } from './axis';
import { result, strongest } from './everyState';

describe('the axis', () => {
  it('runs from head to foot and keeps each weight with its slice', () => {
    const places = headToFoot({ series: result.series, first: 0 }, strongest);
    const heights = places.map(({ slice }) => slice.z_mm);
    expect(heights).toEqual([...heights].sort((a, b) => b - a));
    for (const { index, slice, weight } of places) {
      expect(slice).toBe(result.series.slices[index]);
      expect(weight).toBe(strongest.slice_weights[index]);
    }
  });

  it('loses no peak in few bins', () => {
    const weights = Array.from({ length: 300 }, (_, at) => (at === 217 ? 0.9 : 0.01));
    expect(Math.max(...binned(weights, 120))).toBe(0.9);
    expect(binned(weights, 120)).toHaveLength(120);
    expect(binned([0.2, 0.4], 120)).toEqual([0.2, 0.4]);
    expect(binned([], 120)).toEqual([]);
  });

  it('draws bars upwards, none for nothing, none higher than the axis', () => {
    expect(barsPath([0, 0.5, 2])).toBe('M1 1v-0.500h1V1zM2 1v-1.000h1V1z');
  });

  it('finds the slice on display by its UID and frame', () => {
    const places = headToFoot({ series: result.series, first: 0 }, strongest);
    const third = places[2]!.slice;
    expect(placeOf(places, { sopInstanceUid: third.sop_instance_uid, frame: null })).toBe(2);
    expect(placeOf(places, { sopInstanceUid: '1.2.3', frame: null })).toBe(-1);
    expect(placeOf(places, null)).toBe(-1);
    const frames = [1, 2].map((frame_number, at) => ({ index: at, at, weight: 0, slice: { ...third, frame_number } }));
    expect(placeOf(frames, { sopInstanceUid: third.sop_instance_uid, frame: 2 })).toBe(1);
  });

  it('numbers a slice as the viewer does', () => {
    const slice = result.series.slices[0]!;
    expect(sliceNumber({ ...slice, instance_number: 90, frame_number: null }, 0)).toBe(90);
    expect(sliceNumber({ ...slice, instance_number: 1, frame_number: 7 }, 0)).toBe(7);
    expect(sliceNumber({ ...slice, instance_number: null, frame_number: null }, 4)).toBe(5);
    expect(positionInWords(-153.67)).toBe('−154 mm');
  });
});
