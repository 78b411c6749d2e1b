import { expect, it } from 'vitest';
import { fitsImages, isInVolumeOrder } from './frame-order';

const AXIAL = [1, 0, 0, 0, 1, 0];
const frames = (heights_mm: number[]) => heights_mm.map((z) => ({ PlanePositionSequence: [{ ImagePositionPatient: [0, 0, z] }] }));
const map = (heights_mm: number[]) => ({
  SharedFunctionalGroupsSequence: [{ PlaneOrientationSequence: { ImageOrientationPatient: AXIAL } }],
  PerFrameFunctionalGroupsSequence: frames(heights_mm),
});

it('takes frames from foot to head and no others', () => {
  expect(isInVolumeOrder(map([-10, 0, 10]))).toBe(true);
  expect(isInVolumeOrder(map([10, 0, -10]))).toBe(false);
  expect(isInVolumeOrder(map([-10, 10, 0]))).toBe(false);
});

it('refuses what does not say where its frames lie', () => {
  expect(isInVolumeOrder(undefined)).toBe(false);
  expect(isInVolumeOrder({ PerFrameFunctionalGroupsSequence: frames([1, 2]) })).toBe(false);
  expect(isInVolumeOrder({ PerFrameFunctionalGroupsSequence: [{}] })).toBe(false);
});

it('takes maps with a frame for every image, of its size, and no others', () => {
  const image = { Rows: 512, Columns: 256 };
  const whole = { NumberOfFrames: 2, BitsAllocated: 32, Rows: 512, Columns: 256 };
  expect(fitsImages(whole, [image, image])).toBe(true);
  expect(fitsImages(whole, [image, image, image])).toBe(false);
  expect(fitsImages({ ...whole, BitsAllocated: 16 }, [image, image])).toBe(false);
  expect(fitsImages({ ...whole, Rows: 64 }, [image, image])).toBe(false);
  expect(fitsImages(whole, [image, null])).toBe(false);
  expect(fitsImages(undefined, [])).toBe(false);
});
