/** Heat of slices, ready to be drawn: asked for once, turned into pictures once. */
import type { Finding, Heat } from '../api/types';
import { heat as fetchHeat } from '../store/actions';
import type { CurrentSlice } from '../store/store';
import type { HeatGrid } from './affine';
import { dataUrlOf, pictureOf } from './heat-picture';
import { keyOf } from './slices';

/** Pictures kept; the one that was not looked at for longest goes first. */
const KEPT = 120;

export interface DrawnHeat {
  readonly heat: Heat;
  readonly grid: HeatGrid;
  /** The picture, `SCALE` pixels for each patch, as a data URL. */
  readonly url: string;
}

/** `asked`: on its way. `none`: the agent has none of this slice, or cannot give it now. */
export type HeatState = DrawnHeat | 'asked' | 'none';

export class Heats {
  readonly #states = new Map<string, HeatState>();
  readonly #onArrival: () => void;
  #generation = 0;

  /** `onArrival` is called whenever a state has changed. */
  constructor(onArrival: () => void) {
    this.#onArrival = onArrival;
  }

  /** What is known of a finding's heat in a slice; null where nobody asked. */
  look(finding: Finding, slice: CurrentSlice): HeatState | null {
    const key = nameOf(finding, slice);
    const state = this.#states.get(key) ?? null;
    if (state !== null) this.#keep(key, state);
    return state;
  }

  /** Asks for heat that is neither there nor on its way; one that could not be had is asked for again. */
  async want(finding: Finding, slice: CurrentSlice): Promise<void> {
    const key = nameOf(finding, slice);
    const known = this.#states.get(key);
    if (known === 'asked' || typeof known === 'object') return;
    const generation = this.#generation;
    this.#keep(key, 'asked');
    const heat = await fetchHeat(finding.key, slice.sopInstanceUid, slice.frame);
    if (generation !== this.#generation) return;
    this.#keep(key, drawn(heat));
    this.#onArrival();
  }

  /** Forgets everything: another result is shown. */
  clear(): void {
    this.#generation += 1;
    this.#states.clear();
  }

  #keep(key: string, state: HeatState): void {
    this.#states.delete(key);
    this.#states.set(key, state);
    const oldest = this.#states.keys().next();
    if (this.#states.size > KEPT && !oldest.done) this.#states.delete(oldest.value);
  }
}

function drawn(heat: Heat | null): HeatState {
  const url = heat && dataUrlOf(pictureOf(heat.values));
  if (heat === null || url === null) return 'none';
  const { origin_mm, row_step_mm, column_step_mm, values } = heat;
  return { heat, url, grid: { origin_mm, row_step_mm, column_step_mm, rows: values.length, columns: values[0]?.length ?? 0 } };
}

function nameOf(finding: Finding, slice: CurrentSlice): string {
  return `${finding.key} ${keyOf(slice)}`;
}
