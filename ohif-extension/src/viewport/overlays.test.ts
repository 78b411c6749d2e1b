import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeViewer, FakeViewport } from './fakeViewer';
import { start } from './index';
import { overlays, toggleOverlay } from './overlays';

const SEGMENTATION = { displaySetInstanceUID: 'seg', SOPClassUID: '1.2.840.10008.5.1.4.1.1.66.4', label: 'Lesion', instances: [] };
const frame = (z: number) => ({ PlanePositionSequence: [{ ImagePositionPatient: [0, 0, z] }] });
const MAP = {
  displaySetInstanceUID: 'map',
  SOPClassUID: '1.2.840.10008.5.1.4.1.1.30',
  label: 'Heat',
  instances: [],
  instance: {
    SharedFunctionalGroupsSequence: [{ PlaneOrientationSequence: [{ ImageOrientationPatient: [1, 0, 0, 0, 1, 0] }] }],
    PerFrameFunctionalGroupsSequence: [frame(1), frame(2)],
    NumberOfFrames: 2,
    BitsAllocated: 32,
  },
};

const KEY_OBJECTS = { displaySetInstanceUID: 'ko', SOPClassUID: '1.2.840.10008.5.1.4.1.1.88.59', Modality: 'KO', label: 'Key images', instances: [] };

let viewer: FakeViewer;
let stop: () => void;

function opened(displaySets: FakeViewer['displaySets']): void {
  viewer = new FakeViewer({});
  viewer.displaySets = displaySets;
  viewer.add(new FakeViewport('one', ['1.1', '1.2', '1.3']));
  stop = start(viewer.services);
}

beforeEach(() => void vi.stubGlobal('fetch', () => Promise.resolve(new Response(null))));
afterEach(() => {
  stop();
  document.body.replaceChildren();
});

describe('overlays', () => {
  it('are what lies in the study, and go with it', () => {
    opened([SEGMENTATION, MAP]);
    expect(overlays().map(({ kind, label }) => [kind, label])).toEqual([
      ['segmentation', 'Lesion'],
      ['map', 'Heat'],
    ]);
    stop();
    expect(overlays()).toEqual([]);
  });

  it('are no key objects', () => {
    opened([KEY_OBJECTS]);
    expect(overlays()).toEqual([]);
  });

  it('are laid over the active viewport by the viewer itself', () => {
    opened([SEGMENTATION]);
    expect(toggleOverlay('seg')).toBe(true);
    expect(viewer.commands).toEqual([{ command: 'addDisplaySetAsLayer', options: { viewportId: 'one', displaySetInstanceUID: 'seg' } }]);
  });

  it('are not shown where the viewer would stop or show them wrongly, and the reader is told why', () => {
    opened([MAP, { ...MAP, displaySetInstanceUID: 'turned', instance: { ...MAP.instance, PerFrameFunctionalGroupsSequence: [frame(2), frame(1)] } }]);
    expect([toggleOverlay('map'), toggleOverlay('turned')]).toEqual([false, false]);
    expect(viewer.commands).toEqual([]);
    expect(viewer.notices).toEqual([expect.stringContaining('for every image'), expect.stringContaining('upside down')]);
  });
});
