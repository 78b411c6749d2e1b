import { afterEach, describe, expect, it, vi } from 'vitest';
import { followNotice } from './notice';

class FakeResizeObserver {
  static open: FakeResizeObserver[] = [];
  readonly observed: Element[] = [];

  constructor(readonly notify: () => void) {
    FakeResizeObserver.open.push(this);
  }

  observe(element: Element): void {
    this.observed.push(element);
  }

  disconnect(): void {
    FakeResizeObserver.open.splice(FakeResizeObserver.open.indexOf(this), 1);
  }
}

function boxed(element: HTMLElement, top: number, bottom: number): HTMLElement {
  element.getBoundingClientRect = () => ({ top, bottom }) as DOMRect;
  return element;
}

/** OHIF's bar, 94 px high at the bottom of a page of 800 px. */
function shownBar(): HTMLElement {
  document.body.innerHTML = '<div style="position: fixed"><div><button data-cy="confirm-and-hide-button"></button></div></div>';
  return boxed(document.body.firstElementChild as HTMLElement, 706, 800);
}

afterEach(() => void (document.body.innerHTML = ''));

describe('the bar on investigational use', () => {
  it('covers the bottom of the panel until it is confirmed', () => {
    vi.stubGlobal('ResizeObserver', FakeResizeObserver);
    const bar = shownBar();
    const covered: number[] = [];
    const end = followNotice(boxed(document.createElement('section'), 48, 800), (px) => covered.push(px));
    expect(FakeResizeObserver.open[0]?.observed).toContain(bar);
    bar.remove();
    FakeResizeObserver.open[0]?.notify();
    expect(covered).toEqual([94, 0]);
    end();
    expect(FakeResizeObserver.open).toEqual([]);
  });

  it('covers nothing of a panel that ends above it, or where there is none', () => {
    const covered = vi.fn();
    followNotice(boxed(document.createElement('section'), 48, 800), covered);
    shownBar();
    followNotice(boxed(document.createElement('section'), 48, 600), covered);
    expect(covered.mock.calls).toEqual([[0], [0]]);
  });
});
