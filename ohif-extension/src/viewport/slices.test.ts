import { expect, it } from 'vitest';
import type { Slice } from '../api/types';
import type { Viewport } from '../ohif/types';
import { frameOf, imageIdsOf, indexIn, keyOf, placesOf, scrolledSlices, shownSlice, sliceOf, type MetaData } from './slices';

const IMAGE_IDS = ['a', 'b', 'c'].map((uid) => `wadors:/studies/1/series/2/instances/${uid}/frames/1`);
const HEIGHT_MM: Readonly<Record<string, number>> = { a: 30, b: 10, c: 20 };

const metaData: MetaData = (module, imageId) => {
  const uid = /instances\/(\w+)/.exec(imageId)?.[1] ?? '';
  if (module === 'instance') return uid === 'unknown' ? undefined : { SOPInstanceUID: uid, NumberOfFrames: uid === 'many' ? 9 : undefined };
  return { imagePositionPatient: [0, 0, HEIGHT_MM[uid] ?? 0] };
};

const read = ['b', 'c', 'a'].map((uid) => ({ sop_instance_uid: uid, frame_number: null })) as unknown as Slice[];

it('knows a slice by its SOPInstanceUID, and by its frame where there are several', () => {
  expect(sliceOf(IMAGE_IDS[0]!, metaData)).toEqual({ sopInstanceUid: 'a', frame: null });
  expect(sliceOf('wadors:/instances/many/frames/4', metaData)).toEqual({ sopInstanceUid: 'many', frame: 4 });
  expect(sliceOf('wadors:/instances/unknown/frames/1', metaData)).toBeNull();
  expect([frameOf('dicomweb:/wado?objectUID=1&frame=7'), frameOf('wadouri:/x')]).toEqual([7, 1]);
  expect([keyOf({ sopInstanceUid: '1.2', frame: null }), keyOf({ sopInstanceUid: '1.2', frame: 3 })]).toEqual(['1.2', '1.2#3']);
});

it('walks a stack in its own order and a volume along the view', () => {
  const stack = scrolledSlices(IMAGE_IDS, null, metaData);
  expect(stack.slices.map((slice) => slice?.sopInstanceUid)).toEqual(['a', 'b', 'c']);
  expect(placesOf(read, stack)).toEqual([1, 2, 0]);
  const fromHead = scrolledSlices(IMAGE_IDS, [0, 0, -1], metaData);
  expect(fromHead.slices.map((slice) => slice?.sopInstanceUid)).toEqual(['a', 'c', 'b']);
  expect(placesOf(read, fromHead)).toEqual([2, 1, 0]);
});

it('counts what was not read as nowhere', () => {
  const others = scrolledSlices(['wadors:/instances/z/frames/1'], null, metaData);
  expect(placesOf(read, others)).toEqual([-1, -1, -1]);
  expect(indexIn(read, { sopInstanceUid: 'z', frame: null })).toBe(-1);
  expect(indexIn(read, null)).toBe(-1);
  expect(indexIn(read, { sopInstanceUid: 'c', frame: null })).toBe(1);
});

it('takes a viewport that throws as one that shows nothing yet', () => {
  const refuse = (): never => {
    throw new Error('no volume');
  };
  const viewport = { getImageIds: refuse, getCurrentImageId: refuse, isInAcquisitionPlane: refuse } as unknown as Viewport;
  expect(imageIdsOf(viewport)).toEqual([]);
  expect(shownSlice(viewport, metaData)).toBeNull();
});
