/** The heat strip: a narrow canvas beside the image, one band for each slice in the order of the wheel. */
import { cssColour } from './colours';
import { bandsOf, middleOf, placeAt, sharesOf } from './strip-layout';

const WIDTH_PX = 22;
/** The coloured bands; what is left of the width holds the ticks and the marker. */
const BANDS = { left_px: 7, width_px: 9 };
/** Between OHIF's texts in the corners, and left of its scroll bar. */
const PLACE: Partial<CSSStyleDeclaration> = {
  position: 'absolute',
  right: '22px',
  top: 'max(18%, 112px)',
  bottom: 'max(18%, 72px)',
  width: `${WIDTH_PX}px`,
  pointerEvents: 'auto',
};
const BACK = 'rgb(9 11 22 / 0.75)';
const EMPTY = 'rgb(95 105 145 / 0.35)';
const TICK = '#d2d7e5';
const MARKER = '#a8ccff';

/** What a strip shows. Places count along the wheel, from 0. */
export interface StripPicture {
  /** Weight of each place; null where the agent has no slice. */
  readonly weights: readonly (number | null)[];
  /** Places the finding rests on. */
  readonly evidence: readonly number[];
  /** The place on display; -1 for none. */
  readonly now: number;
  /** What the strip is, for those who cannot see it. */
  readonly label: string;
}

export interface StripListener {
  jump(place: number): void;
  /** What to say about a place under the pointer. */
  tip(place: number): string;
}

/** One strip; it is drawn anew with every `show` and whenever its size changes. */
export class Strip {
  /** To be put beside the image. */
  readonly element = document.createElement('div');
  readonly #canvas = document.createElement('canvas');
  readonly #listener: StripListener;
  readonly #resized: ResizeObserver | null;
  #picture: StripPicture | null = null;
  #dragging = false;

  constructor(listener: StripListener) {
    this.#listener = listener;
    this.#canvas.dataset['pa'] = 'strip';
    this.#canvas.setAttribute('role', 'img');
    Object.assign(this.element.style, PLACE);
    Object.assign(this.#canvas.style, { display: 'block', width: '100%', height: '100%', cursor: 'pointer', touchAction: 'none' });
    this.element.append(this.#canvas);
    this.#canvas.addEventListener('pointerdown', this.#onDown);
    this.#canvas.addEventListener('pointermove', this.#onMove);
    this.#canvas.addEventListener('pointerup', this.#onUp);
    this.#canvas.addEventListener('pointercancel', this.#onUp);
    for (const name of HELD_BACK) this.#canvas.addEventListener(name, holdBack);
    this.#resized = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver(() => this.#draw());
    this.#resized?.observe(this.#canvas);
  }

  /** Shows a picture, or hides the strip. */
  show(picture: StripPicture | null): void {
    this.#picture = picture;
    this.element.style.visibility = picture === null ? 'hidden' : 'visible';
    this.#canvas.setAttribute('aria-label', picture?.label ?? '');
    this.#draw();
  }

  remove(): void {
    this.#resized?.disconnect();
    this.element.remove();
  }

  readonly #onDown = (event: PointerEvent): void => {
    holdBack(event);
    if (event.button !== 0) return;
    event.preventDefault();
    this.#dragging = true;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#listener.jump(this.#placeOf(event));
  };

  readonly #onMove = (event: PointerEvent): void => {
    if (this.#picture === null) return;
    const place = this.#placeOf(event);
    this.#canvas.title = this.#listener.tip(place);
    if (!this.#dragging) return;
    holdBack(event);
    if (place !== this.#picture.now) this.#listener.jump(place);
  };

  readonly #onUp = (event: PointerEvent): void => {
    holdBack(event);
    this.#dragging = false;
  };

  #placeOf(event: PointerEvent): number {
    const box = this.#canvas.getBoundingClientRect();
    return placeAt(event.clientY - box.top, box.height, this.#picture?.weights.length ?? 0);
  }

  #draw(): void {
    const { clientHeight: height_px } = this.#canvas;
    const context = this.#picture === null || height_px === 0 ? null : this.#canvas.getContext('2d');
    if (this.#picture === null || context === null) return;
    const ratio = globalThis.devicePixelRatio || 1;
    this.#canvas.width = Math.round(WIDTH_PX * ratio);
    this.#canvas.height = Math.round(height_px * ratio);
    context.scale(ratio, ratio);
    drawStrip(context, this.#picture, height_px);
  }
}

/** Cornerstone's tools must not see what is done on the strip; the wheel is theirs. */
const HELD_BACK = ['mousedown', 'mouseup', 'click', 'dblclick', 'touchstart', 'contextmenu'];

function holdBack(event: Event): void {
  event.stopPropagation();
}

function drawStrip(context: CanvasRenderingContext2D, picture: StripPicture, height_px: number): void {
  const count = picture.weights.length;
  context.fillStyle = BACK;
  context.fillRect(BANDS.left_px - 1, 0, BANDS.width_px + 2, height_px);
  for (const band of bandsOf(sharesOf(picture.weights), height_px)) {
    context.fillStyle = band.weight === null ? EMPTY : cssColour(band.weight);
    context.globalAlpha = band.weight === null ? 1 : 0.08 + 0.92 * Math.min(1, Math.max(0, band.weight));
    context.fillRect(BANDS.left_px, band.top_px, BANDS.width_px, band.height_px + 0.5);
  }
  context.globalAlpha = 1;
  context.fillStyle = TICK;
  for (const place of picture.evidence) context.fillRect(0, middleOf(place, height_px, count) - 1, BANDS.left_px - 1, 2);
  if (picture.now >= 0) drawMarker(context, middleOf(picture.now, height_px, count), height_px / count);
}

/** A frame around the slice on display, and a pointer outside the bands. */
function drawMarker(context: CanvasRenderingContext2D, middle_px: number, band_px: number): void {
  const half_px = Math.max(1.5, band_px / 2);
  context.strokeStyle = MARKER;
  context.lineWidth = 1.5;
  context.strokeRect(BANDS.left_px - 1, middle_px - half_px, BANDS.width_px + 2, 2 * half_px);
  context.fillStyle = MARKER;
  context.beginPath();
  context.moveTo(BANDS.left_px + BANDS.width_px + 1, middle_px);
  context.lineTo(WIDTH_PX, middle_px - 4.5);
  context.lineTo(WIDTH_PX, middle_px + 4.5);
  context.fill();
}
