import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fixture from '../api/fixtures/answer.json';
import type { StudyAnswer } from '../api/types';
import type { Point3, SvgDrawingHelper } from '../ohif/types';
import { emptySession, store } from '../store/store';
import { FakeViewer, FakeViewport, FRAME_OF_REFERENCE, imageIdOf } from './fakeViewer';
import { start } from './index';
import { jumpTo } from './navigate';
import { isMarked, showBoth, showDistance, showPoint } from './point';

const answer = fixture as unknown as StudyAnswer;
/** Eleven slices in each plane, 10 mm apart, of a cube of 100 mm. */
const PLACES = Array.from({ length: 11 }, (_, at) => at * 10);
const AXES = {
  axial: { normal: 2, rowCosines: [1, 0, 0], columnCosines: [0, 1, 0] },
  sagittal: { normal: 0, rowCosines: [0, 1, 0], columnCosines: [0, 0, 1] },
  coronal: { normal: 1, rowCosines: [1, 0, 0], columnCosines: [0, 0, 1] },
} as const;
const SIZE = { rowPixelSpacing: 1, columnPixelSpacing: 1, rows: 101, columns: 101, sliceThickness: 10 };
const POINT: Point3 = [41, 72, 30];

let viewer: FakeViewer;
let stop: () => void;

function uidsOf(name: string): string[] {
  return PLACES.map((place) => `${name}.${place}`);
}

/** The planes of a series by SOPInstanceUID. */
function planesOf(name: string, plane: keyof typeof AXES, frameOfReferenceUID = FRAME_OF_REFERENCE): Record<string, object> {
  const { normal, ...directions } = AXES[plane];
  const at = (place: number) => [0, 1, 2].map((axis) => (axis === normal ? place : 0));
  return Object.fromEntries(PLACES.map((place) => [`${name}.${place}`, { ...directions, ...SIZE, imagePositionPatient: at(place), frameOfReferenceUID }]));
}

/** Whether a mark is drawn in a viewport, as Cornerstone would have it drawn. */
function marks(viewport: FakeViewport): string[] {
  const nodes: SVGElement[] = [];
  const svg: SvgDrawingHelper = {
    svgLayerElement: document.createElementNS('http://www.w3.org/2000/svg', 'svg'),
    setNodeTouched: () => undefined,
    getSvgNode: () => undefined,
    appendNode: (node) => void nodes.push(node),
  };
  new viewer.tool!().renderAnnotation({ viewport }, svg);
  return nodes.map((node) => node.dataset['pa'] ?? '');
}

const turned = () => new Promise((resolve) => setTimeout(resolve));
const slice = { sop_instance_uid: 'axial.30', frame_number: null };

beforeEach(() => {
  viewer = new FakeViewer({});
  viewer.planes = {
    ...planesOf('axial', 'axial'),
    ...planesOf('sagittal', 'sagittal'),
    ...planesOf('coronal', 'coronal'),
    ...planesOf('diffusion', 'axial'),
    ...planesOf('prior', 'axial', '1.10'),
  };
  stop = start(viewer.services);
  store.set({ ...emptySession('1.2.3'), answer, source: 'agent' });
});

afterEach(() => {
  stop();
  store.set(emptySession());
  document.body.replaceChildren();
});

describe('a point', () => {
  it('is shown and marked in the stacks of all planes, in their nearest slices', async () => {
    const stacks = ['axial', 'sagittal', 'coronal', 'diffusion'].map((name) => viewer.add(new FakeViewport(name, uidsOf(name))));
    expect(await showPoint(slice, POINT)).toBe(true);
    await turned();
    expect(stacks.map(({ current }) => current)).toEqual(['axial.30', 'sagittal.40', 'coronal.70', 'diffusion.30']);
    expect(stacks.map(marks)).toEqual(Array(4).fill(['point', 'point']));
  });

  it('moves a reformat along its normal, and is marked there as long as that shows it', async () => {
    viewer.add(new FakeViewport('axial', uidsOf('axial'), 'orthographic'));
    const reformat = new FakeViewport('reformat', uidsOf('axial'), 'orthographic');
    [reformat.inPlane, reformat.normal] = [false, [1, 0, 0]];
    viewer.add(reformat);
    await showPoint(slice, POINT);
    expect(reformat.focus).toEqual(POINT);
    expect(marks(reformat)).toHaveLength(2);
    reformat.focus = [POINT[0] + 1, POINT[1], POINT[2]];
    expect(marks(reformat)).toEqual([]);
  });

  it('leaves viewports of another frame of reference, and those it lies outside of, as they are', async () => {
    const [axial, prior, low] = [new FakeViewport('a', uidsOf('axial')), new FakeViewport('p', uidsOf('prior')), new FakeViewport('l', ['coronal.0', 'coronal.10', 'coronal.20'])];
    [axial, prior, low].forEach((viewport) => viewer.add(viewport));
    await showPoint(slice, POINT);
    await turned();
    expect([prior.current, low.current]).toEqual(['prior.0', 'coronal.0']);
    expect([axial, prior, low].map((viewport) => marks(viewport).length)).toEqual([2, 0, 0]);
  });

  it('that is not known leads the other planes through the middle, and nothing is marked', async () => {
    const [axial, sagittal] = ['axial', 'sagittal'].map((name) => viewer.add(new FakeViewport(name, uidsOf(name))));
    await showPoint(slice, null);
    await turned();
    expect([axial!.current, sagittal!.current]).toEqual(['axial.30', 'sagittal.50']);
    expect([isMarked(), marks(axial!)]).toEqual([false, []]);
  });

  it('is marked in no other slice of a stack', async () => {
    const axial = viewer.add(new FakeViewport('axial', uidsOf('axial')));
    await showPoint(slice, POINT);
    axial.show('axial.40');
    expect(marks(axial)).toEqual([]);
    axial.show('axial.30');
    expect(marks(axial)).toHaveLength(2);
  });
});

describe('a distance', () => {
  const ends: [Point3, Point3] = [[41, 72, 24], [41, 72, 36]];

  it('leads all planes to its middle, and its ends are drawn in the images in which they lie', async () => {
    const stacks = ['axial', 'sagittal', 'coronal'].map((name) => viewer.add(new FakeViewport(name, uidsOf(name))));
    expect(await showDistance(slice, ends)).toBe(true);
    await turned();
    const [point, both] = [['point', 'point'], ['point', 'point', 'ends', 'ends']];
    expect(stacks.map(({ current }) => current)).toEqual(['axial.30', 'sagittal.40', 'coronal.70']);
    expect(stacks.map(marks)).toEqual([point, both, both]);
  });

  it('goes with the next point', async () => {
    const axial = viewer.add(new FakeViewport('axial', uidsOf('axial')));
    await showDistance(slice, [POINT, POINT]);
    expect(marks(axial)).toHaveLength(4);
    await showPoint(slice, POINT);
    expect(marks(axial)).toEqual(['point', 'point']);
  });
});

describe('a change since the prior study', () => {
  const now = { index: 0, sop_instance_uid: 'axial.30', frame_number: null, weight: 1, peak_px: null, peak_mm: POINT, peak_heat: 1 };
  const prior = { sop_instance_uid: 'prior.50', frame_number: null };

  it('shows both slices, and marks the point of this study', async () => {
    const [mine, theirs] = [viewer.add(new FakeViewport('mine', uidsOf('axial'))), viewer.add(new FakeViewport('theirs', uidsOf('prior')))];
    expect(await showBoth(prior, now)).toBe(true);
    expect([mine.current, theirs.current]).toEqual(['axial.30', 'prior.50']);
    expect([marks(mine).length, marks(theirs).length]).toEqual([2, 0]);
  });

  it('opens nothing of this study where no viewport has it', async () => {
    const theirs = viewer.add(new FakeViewport('theirs', uidsOf('prior')));
    expect(await showBoth(prior, now)).toBe(true);
    expect([theirs.current, viewer.commands, isMarked()]).toEqual(['prior.50', [], false]);
  });
});

describe('the mark', () => {
  let axial: FakeViewport;

  beforeEach(async () => {
    axial = viewer.add(new FakeViewport('axial', uidsOf('axial')));
    store.set({ selected: 'lung_nodule' });
    await showPoint(slice, POINT);
  });

  const click = (target: Element) => target.dispatchEvent(new Event('pointerdown', { bubbles: true }));
  const escape = (target: Element) => target.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));

  it('goes with a click on the images, and not with one on the panel', () => {
    const panel = document.createElement('div');
    panel.className = 'pa-root';
    document.body.append(panel);
    click(panel);
    expect(isMarked()).toBe(true);
    click(axial.element);
    expect([isMarked(), marks(axial)]).toEqual([false, []]);
  });

  it('stays where the viewer sets its viewport up anew, as for an overlay', () => {
    viewer.remove(axial);
    const again = viewer.add(new FakeViewport('axial', uidsOf('axial')));
    expect(marks(again)).toEqual([]);
    again.show('axial.30');
    expect(marks(again)).toHaveLength(2);
  });

  it('goes with Escape, wherever the focus is, but for text and dialogs of the viewer', () => {
    const field = document.createElement('textarea');
    document.body.append(field);
    escape(field);
    expect(isMarked()).toBe(true);
    escape(document.body);
    expect(isMarked()).toBe(false);
  });

  it('goes with the next jump, with another finding, and with the mode', async () => {
    await jumpTo('axial.50');
    expect(isMarked()).toBe(false);
    await showPoint(slice, POINT);
    store.set({ selected: null });
    expect(isMarked()).toBe(false);
    await showPoint(slice, POINT);
    stop();
    expect(isMarked()).toBe(false);
  });

  it('is not set by a jump that was overtaken', async () => {
    const [first, second] = await Promise.all([showPoint({ ...slice, sop_instance_uid: 'axial.60' }, POINT), jumpTo('axial.20')]);
    expect([first, second, isMarked()]).toEqual([false, true, false]);
    expect(axial.getCurrentImageId()).toBe(imageIdOf('axial.20'));
  });
});
