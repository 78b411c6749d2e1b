/** The legend of the heat: what it is, its scale, and how coarse it is. */
import type { Finding } from '../api/types';
import { t } from '../i18n';
import { findingName } from '../panel/words';
import { percent } from '../store/derived';
import { patchSize_mm } from './affine';
import { cssScale } from './colours';
import type { HeatState } from './heats';
import { keyFor } from './keys';

const STYLE: Partial<CSSStyleDeclaration> = {
  position: 'absolute',
  left: '8px',
  bottom: '68px',
  width: '184px',
  padding: '5px 7px',
  borderRadius: '3px',
  background: 'rgb(9 11 22 / 0.8)',
  font: '11px/1.4 Inter, system-ui, sans-serif',
  color: '#d2d7e5',
  pointerEvents: 'none',
};

export class Legend {
  readonly element: HTMLDivElement;
  readonly #title = document.createElement('div');
  readonly #lines = document.createElement('div');

  constructor() {
    this.element = document.createElement('div');
    this.element.dataset['pa'] = 'legend';
    Object.assign(this.element.style, STYLE);
    Object.assign(this.#title.style, { fontWeight: '600', color: '#a8ccff' });
    Object.assign(this.#lines.style, { whiteSpace: 'pre-line', color: '#aab2cb' });
    this.element.append(this.#title, scaleBar(), this.#lines);
    this.show(null, null);
  }

  /** Shows what is known of a finding's heat in the slice on display; no finding hides the legend. */
  show(finding: Finding | null, state: HeatState | null): void {
    this.element.hidden = finding === null;
    if (finding === null) return;
    setText(this.#title, t('viewport.heatTitle', { finding: findingName(finding) }));
    setText(this.#lines, [...linesOf(state), t('viewport.heatOff', { key: keyFor('heat') })].join('\n'));
  }
}

function linesOf(state: HeatState | null): string[] {
  if (state === 'none') return [t('viewport.heatNone')];
  if (state === null || state === 'asked') return [t('viewport.heatLoading')];
  const [height, width] = patchSize_mm(state.heat).map((size_mm) => Math.round(size_mm));
  return [
    t('viewport.heatPatches', { height: height ?? 0, width: width ?? 0 }),
    t('viewport.heatPeak', { peak: percent(state.heat.peak_heat) }),
  ];
}

/** The scale from 0 to 1, as it is drawn on black. */
function scaleBar(): HTMLDivElement {
  const row = document.createElement('div');
  Object.assign(row.style, { display: 'flex', alignItems: 'center', gap: '5px' });
  const bar = document.createElement('div');
  Object.assign(bar.style, { flex: '1', height: '7px', border: '1px solid #5f6991', background: `${cssScale()}, #000` });
  row.append(number('0'), bar, number('1'));
  return row;
}

function number(text: string): HTMLSpanElement {
  const element = document.createElement('span');
  element.textContent = text;
  return element;
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
