/** What we put beside the image of a viewport: the heat strip, the note of the slice and the legend of the heat. */
import type { Finding, Result } from '../api/types';
import type { Viewport } from '../ohif/types';
import { t } from '../i18n';
import { findingName } from '../panel/words';
import { percent } from '../store/derived';
import { slicesRead } from '../store/series';
import { store, type Session } from '../store/store';
import { byPlace, evidencePlaces, findingsShown, weightsShown } from './evidence-order';
import type { HeatLayer } from './heat-layer';
import { Legend } from './legend';
import { jumpTo } from './navigate';
import { Note } from './note';
import type { ShownViewports } from './shown';
import { indexIn, placesOf } from './slices';
import { Strip } from './strip';

/** The furniture of one viewport. It shows itself only while the viewport shows a series the agent has read. */
export class Furniture {
  readonly #viewport: Viewport;
  readonly #shown: ShownViewports;
  readonly #strip: Strip;
  readonly #note = new Note();
  readonly #legend = new Legend();
  readonly #heat: HeatLayer;

  constructor(viewport: Viewport, shown: ShownViewports, heat: HeatLayer) {
    this.#viewport = viewport;
    this.#shown = shown;
    this.#heat = heat;
    this.#strip = new Strip({ jump: (place) => this.#jump(place), tip: (place) => this.#tip(place) });
    viewport.element.append(this.#strip.element, this.#note.element, this.#legend.element);
    this.update(store.get());
  }

  remove(): void {
    this.#strip.remove();
    this.#note.element.remove();
    this.#legend.element.remove();
  }

  update(session: Session): void {
    const heat = this.#heat.at(this.#viewport);
    this.#legend.show(heat?.finding ?? null, heat?.state ?? null);
    const result = session.answer?.result ?? null;
    const places = result ? this.#places(result) : [];
    if (result === null || !places.some((place) => place >= 0)) {
      this.#strip.show(null);
      this.#note.show([]);
      return;
    }
    const index = indexIn(slicesRead(result), this.#shown.slice(this.#viewport));
    const shown = findingsShown(result, session.selected);
    const label = findingLabel(result, session.selected);
    this.#strip.show({
      weights: byPlace(weightsShown(result, session.selected), places, this.#count()),
      evidence: evidencePlaces(shown, places),
      now: places[index] ?? -1,
      label: t('viewport.strip', { finding: label }),
    });
    this.#note.show(index < 0 ? [] : noteLines(result, session.selected, index, places));
  }

  #places(result: Result): number[] {
    const scrolled = this.#shown.scrolled(this.#viewport);
    return scrolled ? placesOf(slicesRead(result), scrolled) : [];
  }

  #count(): number {
    return this.#shown.scrolled(this.#viewport)?.imageIds.length ?? 0;
  }

  #jump(place: number): void {
    const slice = this.#shown.scrolled(this.#viewport)?.slices[place];
    if (slice) void jumpTo(slice.sopInstanceUid, slice.frame ?? undefined);
  }

  #tip(place: number): string {
    const { answer, selected } = store.get();
    const result = answer?.result;
    if (!result) return '';
    const places = this.#places(result);
    const weight = byPlace(weightsShown(result, selected), places, this.#count())[place];
    if (weight === null || weight === undefined) return '';
    const values = { number: place + 1, total: this.#count(), finding: findingLabel(result, selected), weight: percent(weight) };
    return t('viewport.stripTip', values);
  }
}

function noteLines(result: Result, selected: string | null, index: number, places: readonly number[]): string[] {
  const known = places.filter((place) => place >= 0).sort((a, b) => a - b);
  const place = places[index] ?? -1;
  const lines = [t('viewport.slice', { number: known.indexOf(place) + 1, total: known.length })];
  const finding = result.findings.find((each) => each.key === selected);
  return finding ? [...lines, ...findingLines(finding, index, places)] : lines;
}

function findingLines(finding: Finding, index: number, places: readonly number[]): string[] {
  const weight = t('viewport.sliceWeight', { finding: findingName(finding), weight: percent(finding.slice_weights[index] ?? 0) });
  const evidence = evidencePlaces([finding], places);
  const at = evidence.indexOf(places[index] ?? -1);
  return at < 0 ? [weight] : [weight, t('viewport.evidencePlace', { at: at + 1, count: evidence.length })];
}

function findingLabel(result: Result, selected: string | null): string {
  const finding = result.findings.find(({ key }) => key === selected);
  return finding ? findingName(finding) : t('viewport.allFindings');
}
