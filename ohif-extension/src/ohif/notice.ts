/** OHIF's bar on investigational use: it lies over the bottom of the page until the reader confirms it. */

const CONFIRM = '[data-cy="confirm-and-hide-button"]';

/** Tells how many px of an element's bottom the bar covers, now and with every change; until the returned function is called. */
export function followNotice(element: HTMLElement, onCovered: (covered_px: number) => void): () => void {
  const measure = (): void => onCovered(coveredBy(noticeBar(), element));
  const resized = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver(measure);
  resized?.observe(element);
  const bar = noticeBar();
  if (bar) resized?.observe(bar); // told also when the bar is taken away
  measure();
  return () => resized?.disconnect();
}

function coveredBy(bar: Element | null, element: HTMLElement): number {
  if (bar === null) return 0;
  return Math.max(0, Math.ceil(element.getBoundingClientRect().bottom - bar.getBoundingClientRect().top));
}

/** The fixed box around the bar's button; it takes clicks over its whole width. */
function noticeBar(): Element | null {
  let box = document.querySelector(CONFIRM);
  while (box !== null && getComputedStyle(box).position !== 'fixed') box = box.parentElement;
  return box;
}
