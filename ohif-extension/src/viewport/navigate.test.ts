import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import fixture from '../api/fixtures/answer.json';
import type { StudyAnswer } from '../api/types';
import { emptySession, store } from '../store/store';
import { FakeViewer, FakeViewport } from './fakeViewer';
import { HeatLayer } from './heat-layer';
import { start } from './index';
import { jumpTo, onSlice } from './navigate';
import { stepEvidence } from './walk';

const answer = fixture as unknown as StudyAnswer;
const slices = answer.result!.series.slices;
/** As OHIF orders a stack: from the head. */
const headFirst = slices.map((slice) => slice.sop_instance_uid).toReversed();
const heights_mm = Object.fromEntries(slices.map((slice) => [slice.sop_instance_uid, slice.z_mm]));
const uidAt = (index: number) => slices[index]!.sop_instance_uid;
const indexNow = () => slices.findIndex((slice) => slice.sop_instance_uid === store.get().current?.sopInstanceUid);

let viewer: FakeViewer;
let stop: () => void;

beforeEach(() => {
  viewer = new FakeViewer(heights_mm);
  stop = start(viewer.services);
  store.set({ ...emptySession('1.2.3'), answer, source: 'agent' });
});

afterEach(() => {
  stop();
  store.set(emptySession());
  document.body.replaceChildren();
});

describe('the current slice', () => {
  it('is that of the active viewport, by SOPInstanceUID', () => {
    const stack = viewer.add(new FakeViewport('one', headFirst));
    const seen: (string | undefined)[] = [];
    const end = onSlice((slice) => seen.push(slice?.sopInstanceUid));
    stack.show(uidAt(12));
    end();
    stack.show(uidAt(13));
    expect(seen).toEqual([uidAt(12)]);
    expect(indexNow()).toBe(13);
  });

  it('comes from the viewport in the plane of acquisition while a reformat is active', () => {
    const sagittal = new FakeViewport('sagittal', headFirst, 'orthographic');
    sagittal.inPlane = false;
    viewer.add(sagittal);
    viewer.add(new FakeViewport('axial', headFirst, 'orthographic')).show(uidAt(40));
    expect(viewer.active).toBe('sagittal');
    expect(indexNow()).toBe(40);
  });
});

describe('a jump', () => {
  it('turns every viewport that can show the slice, and no reformat', async () => {
    const [one, two, coronal] = [new FakeViewport('one', headFirst), new FakeViewport('two', headFirst, 'orthographic'), new FakeViewport('three', headFirst, 'orthographic')];
    coronal.inPlane = false;
    [one, two, coronal].forEach((viewport) => viewer.add(viewport));
    expect(await jumpTo(uidAt(30))).toBe(true);
    await new Promise((resolve) => setTimeout(resolve));
    expect([one.current, two.current, coronal.current]).toEqual([uidAt(30), uidAt(30), headFirst[0]]);
    expect(performance.getEntriesByName('pa:jump').length).toBeGreaterThan(0);
  });

  it('opens the series where another one is shown', async () => {
    const stack = viewer.add(new FakeViewport('one', ['other']));
    viewer.displaySets = [{ displaySetInstanceUID: 'ct', instances: [{ SOPInstanceUID: uidAt(7) }] }];
    viewer.onCommand = () => {
      stack.uids = headFirst;
      setTimeout(() => stack.show(headFirst[0]));
    };
    expect(await jumpTo(uidAt(7))).toBe(true);
    expect(viewer.commands).toEqual([
      { command: 'setDisplaySetsForViewports', options: { viewportsToUpdate: [{ viewportId: 'one', displaySetInstanceUIDs: ['ct'] }] } },
    ]);
    expect(stack.current).toBe(uidAt(7));
  });

  it('waits for the first image, which would undo it', async () => {
    const stack = viewer.add(new FakeViewport('one', headFirst), false);
    const jump = jumpTo(uidAt(30));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(stack.current).toBe(headFirst[0]);
    stack.show(headFirst[0]);
    expect(await jump).toBe(true);
    expect([stack.current, viewer.commands]).toEqual([uidAt(30), []]);
  });

  it('fails at once for a slice that is nowhere, and when overtaken', async () => {
    viewer.add(new FakeViewport('one', headFirst));
    expect(await jumpTo('1.2.unknown')).toBe(false);
    const [first, second] = await Promise.all([jumpTo(uidAt(5)), jumpTo(uidAt(6))]);
    expect([first, second]).toEqual([false, true]);
    expect(indexNow()).toBe(6);
  });
});

describe('the way along the evidence', () => {
  it('goes down the wheel and round, in a stack as in a volume', async () => {
    for (const type of ['stack', 'orthographic'] as const) {
      const viewport = viewer.add(new FakeViewport(type, type === 'stack' ? headFirst : headFirst.toSorted(), type));
      store.set({ selected: 'lung_nodule' });
      viewport.show(uidAt(89));
      const walked: number[] = [];
      for (let step = 0; step < 4; step++) {
        expect(await stepEvidence(1)).toBe(true);
        walked.push(indexNow());
      }
      expect(walked).toEqual([70, 45, 39, 70]);
      await stepEvidence(-1);
      expect(indexNow()).toBe(39);
      viewer.remove(viewport);
    }
  });

  it('has nowhere to go without a result', async () => {
    viewer.add(new FakeViewport('one', headFirst));
    store.set({ answer: null });
    expect(await stepEvidence(1)).toBe(false);
  });
});

describe('what lies beside the image', () => {
  it('says our own number of the slice and what the finding weighs there', () => {
    const stack = viewer.add(new FakeViewport('one', headFirst));
    store.set({ selected: 'lung_nodule' });
    stack.show(uidAt(45));
    const note = stack.element.querySelector('[data-pa="slice-note"]')?.textContent ?? '';
    expect(note).toContain(`${90 - 45} of 90`);
    expect(note).toContain('evidence 2 of 3');
    expect(stack.element.querySelector('[data-pa="strip"]')?.getAttribute('aria-label')).toContain('Lung nodule');
  });

  it('goes when another series is shown, with the viewport, and with the mode', () => {
    const stack = viewer.add(new FakeViewport('one', ['other']));
    expect(stack.element.querySelector('[data-pa="slice-note"]')?.textContent).toBe('');
    viewer.remove(stack);
    expect(stack.element.childElementCount).toBe(0);
    const next = viewer.add(new FakeViewport('two', headFirst));
    expect(next.element.childElementCount).toBeGreaterThan(0);
    stop();
    expect(next.element.childElementCount).toBe(0);
  });
});

describe('fifty studies, one after the other', () => {
  const left = () => [viewer.subscriptions, viewer.listeners, store.watchers, performance.getEntriesByName('pa:jump').length];

  beforeEach(() => stop());

  it('leave nothing behind where the mode is left before its viewports', () => {
    viewer.add(new FakeViewport('one', headFirst));
    for (let time = 0; time < 50; time++) start(viewer.services)();
    expect([...left(), viewer.toolNames.length]).toEqual([0, 0, 0, 0, 0]);
    expect(store.get().current).toBeNull();
  });

  it('leave nothing behind where the viewer has ended its engine before', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    for (let time = 0; time < 50; time++) {
      const end = start(viewer.services);
      const stack = viewer.add(new FakeViewport(`stack ${time}`, headFirst));
      await jumpTo(uidAt(5));
      viewer.remove(stack);
      end();
      expect(stack.element.childElementCount).toBe(0);
    }
    expect(left()).toEqual([0, 0, 0, 0]);
    expect(said).not.toHaveBeenCalled();
  });

  it('leave nothing of the other parts where one cannot be taken away', () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    viewer.add(new FakeViewport('one', headFirst));
    const end = start(viewer.services);
    vi.spyOn(HeatLayer.prototype, 'stop').mockImplementation(() => {
      throw new Error('the viewer is in another state than we thought');
    });
    const before = store.watchers;
    end();
    expect(left()).toEqual([0, 0, expect.any(Number), 0]);
    expect(store.watchers).toBeLessThan(before);
  });
});
