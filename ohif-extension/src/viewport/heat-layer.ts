/** Keeps the heat over the images up with the session: which finding, which slice, how strong. */
import type { Finding, Result } from '../api/types';
import type { Viewport } from '../ohif/types';
import { findingOf } from '../store/derived';
import { slicesRead } from '../store/series';
import { store, type CurrentSlice, type Session } from '../store/store';
import { Heats, type HeatState } from './heats';
import type { Layer } from './layer';
import type { ShownViewports } from './shown';
import { indexIn } from './slices';
import { drawWash, type Wash } from './wash';

/** How long a slice stays before its heat is asked for: who scrolls past it does not want it. */
const REST_MS = 60;

/** What is known of the selected finding's heat in the slice of a viewport. */
export interface ShownHeat {
  readonly finding: Finding;
  readonly state: HeatState | null;
}

export class HeatLayer {
  readonly #layer: Layer;
  readonly #shown: ShownViewports;
  readonly #heats: Heats;
  readonly #listeners = new Set<() => void>();
  readonly #ends: (() => void)[];
  #result: Result | null = null;
  #asked = '';
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(layer: Layer, shown: ShownViewports) {
    this.#layer = layer;
    this.#shown = shown;
    this.#heats = new Heats(() => this.#redraw());
    this.#ends = [
      layer.paint((viewport, svg) => {
        const wash = this.#wash(viewport);
        return wash !== null && drawWash(viewport, svg, wash);
      }),
      shown.subscribe((event) => event !== 'gone' && this.#askSoon()),
      store.subscribe(() => this.#update()),
    ];
    this.#update();
  }

  stop(): void {
    this.#ends.forEach((end) => end());
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#heats.clear();
    this.#listeners.clear();
  }

  /** Calls `listener` when heat has arrived. Returns the function that ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The heat a viewport shows or waits for; null while the wash is off or the image is of another series. */
  at(viewport: Viewport): ShownHeat | null {
    const session = store.get();
    const finding = this.#finding(session);
    const slice = finding && this.#sliceRead(viewport);
    return finding && slice ? { finding, state: this.#heats.look(finding, slice) } : null;
  }

  /** The finding whose heat is wanted; null while the wash is off, and of a result that has none. */
  #finding(session: Session): Finding | null {
    const wanted = session.wash.on && session.answer?.result?.has_heat !== false;
    return wanted ? findingOf(session, session.selected) : null;
  }

  #wash(viewport: Viewport): Wash | null {
    const state = this.at(viewport)?.state;
    return typeof state === 'object' && state !== null ? { drawn: state, opacity: store.get().wash.opacity } : null;
  }

  /** The slice of a viewport, where the agent has read it. */
  #sliceRead(viewport: Viewport): CurrentSlice | null {
    const result = store.get().answer?.result;
    const slice = this.#shown.slice(viewport);
    return result && indexIn(slicesRead(result), slice) >= 0 ? slice : null;
  }

  #update(): void {
    const { answer, selected, wash } = store.get();
    const result = answer?.result ?? null;
    if (result?.job_id !== this.#result?.job_id || result?.run !== this.#result?.run) this.#heats.clear();
    this.#result = result;
    const asked = JSON.stringify([selected, wash, result?.job_id, result?.run]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    this.#askSoon();
    this.#redraw();
  }

  #askSoon(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), REST_MS);
  }

  /** First what is on display, then the evidence of the finding, the strongest first. */
  #ask(): void {
    const session = store.get();
    const finding = this.#finding(session);
    if (finding === null) return;
    const shown = this.#shown.viewports.map((viewport) => this.#sliceRead(viewport)).filter((slice) => slice !== null);
    const next = finding.evidence.map(({ sop_instance_uid, frame_number }) => ({ sopInstanceUid: sop_instance_uid, frame: frame_number }));
    for (const slice of [...shown, ...next]) void this.#heats.want(finding, slice);
  }

  #redraw(): void {
    this.#layer.redraw();
    for (const listener of [...this.#listeners]) listener();
  }
}
