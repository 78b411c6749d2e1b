/** The viewports on the screen, as they come, go and turn to other slices. */
import type { EnabledElement, Viewport, ViewportServices } from '../ohif/types';
import type { CurrentSlice } from '../store/store';
import { hasCamera } from './services';
import { currentImageId, imageIdsOf, inAcquisitionPlane, scrolledSlices, shownSlice, type MetaData, type ScrolledSlices } from './slices';

/** `came`: its element was enabled. `slice`: it shows another slice or another series. `gone`: it was taken away. */
export type ShownEvent = 'came' | 'slice' | 'gone';
export type ShownListener = (event: ShownEvent, viewport: Viewport) => void;

const NEW_IMAGE = ['STACK_NEW_IMAGE', 'VOLUME_NEW_IMAGE', 'STACK_VIEWPORT_NEW_STACK', 'VOLUME_VIEWPORT_NEW_VOLUME'];

interface Kept {
  readonly imageIds: readonly string[];
  readonly direction: string;
  readonly scrolled: ScrolledSlices;
}

/** Follows every enabled viewport from its construction until `stop`. */
export class ShownViewports {
  readonly #services: ViewportServices;
  readonly #elements = new Map<HTMLDivElement, Viewport>();
  readonly #listeners = new Set<ShownListener>();
  readonly #kept = new WeakMap<Viewport, Kept>();
  readonly #settled = new WeakSet<Viewport>();
  readonly #newImage: readonly string[];

  constructor(services: ViewportServices) {
    this.#services = services;
    const { cornerstone } = services.libraries;
    const { Events } = cornerstone.Enums;
    this.#newImage = NEW_IMAGE.map((name) => Events[name]).filter((name) => name !== undefined);
    cornerstone.eventTarget.addEventListener(Events['ELEMENT_ENABLED'] ?? '', this.#onEnabled);
    cornerstone.eventTarget.addEventListener(Events['ELEMENT_DISABLED'] ?? '', this.#onDisabled);
    for (const { viewport } of cornerstone.getEnabledElements?.() ?? []) {
      this.#add(viewport);
      if (currentImageId(viewport) !== null) this.#settled.add(viewport);
    }
  }

  /** Ends everything; listeners hear that every viewport is gone. */
  stop(): void {
    const { Enums, eventTarget } = this.#services.libraries.cornerstone;
    eventTarget.removeEventListener(Enums.Events['ELEMENT_ENABLED'] ?? '', this.#onEnabled);
    eventTarget.removeEventListener(Enums.Events['ELEMENT_DISABLED'] ?? '', this.#onDisabled);
    for (const element of [...this.#elements.keys()]) this.#remove(element);
    this.#listeners.clear();
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: ShownListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get viewports(): Viewport[] {
    return [...this.#elements.values()];
  }

  get active(): Viewport | null {
    const id = this.#services.servicesManager.services.viewportGridService?.getActiveViewportId();
    return this.viewports.find((viewport) => viewport.id === id) ?? null;
  }

  /** Whether a viewport has shown its first image; what it is turned to before, it turns away from again. */
  isSettled(viewport: Viewport): boolean {
    return this.#settled.has(viewport);
  }

  /** The slices of a viewport in the order of its wheel; null where it cuts across them or shows none. */
  scrolled(viewport: Viewport): ScrolledSlices | null {
    const imageIds = inAcquisitionPlane(viewport) ? imageIdsOf(viewport) : [];
    if (imageIds.length === 0) return null;
    const normal = isVolume(viewport) && hasCamera(viewport) ? (viewport.getCamera().viewPlaneNormal ?? null) : null;
    const direction = normal === null ? '' : Array.from(normal, (each) => each.toFixed(3)).join(' ');
    const kept = this.#kept.get(viewport);
    if (kept?.direction === direction && sameImages(kept.imageIds, imageIds)) return kept.scrolled;
    const scrolled = scrolledSlices(imageIds, normal, this.metaData);
    this.#kept.set(viewport, { imageIds, direction, scrolled });
    return scrolled;
  }

  /** The slice a viewport shows; null where it shows none or cuts across slices. */
  slice(viewport: Viewport): CurrentSlice | null {
    return shownSlice(viewport, this.metaData);
  }

  readonly metaData: MetaData = (module, imageId) => this.#services.libraries.cornerstone.metaData.get(module, imageId);

  readonly #onEnabled = (event: Event): void => {
    const element = elementOf(event);
    const viewport = element && this.#services.libraries.cornerstone.getEnabledElement(element)?.viewport;
    if (viewport) this.#add(viewport);
  };

  readonly #onDisabled = (event: Event): void => {
    const element = elementOf(event);
    if (element) this.#remove(element);
  };

  readonly #onNewImage = (event: Event): void => {
    const viewport = this.#elements.get(event.currentTarget as HTMLDivElement);
    if (!viewport) return;
    this.#settled.add(viewport);
    this.#tell('slice', viewport);
  };

  #add(viewport: Viewport): void {
    const { element } = viewport;
    if (this.#elements.has(element)) this.#remove(element);
    this.#elements.set(element, viewport);
    for (const name of this.#newImage) element.addEventListener(name, this.#onNewImage);
    this.#tell('came', viewport);
  }

  #remove(element: HTMLDivElement): void {
    const viewport = this.#elements.get(element);
    if (!viewport) return;
    for (const name of this.#newImage) element.removeEventListener(name, this.#onNewImage);
    this.#elements.delete(element);
    this.#tell('gone', viewport);
  }

  #tell(event: ShownEvent, viewport: Viewport): void {
    for (const listener of [...this.#listeners]) listener(event, viewport);
  }
}

/** Volume viewports are walked along the direction of view. */
function isVolume(viewport: Viewport): boolean {
  return viewport.type !== 'stack';
}

/** Lists are compared by their ends and length: OHIF gives a new array at every call, of the same images. */
function sameImages(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a[0] === b[0] && a.at(-1) === b.at(-1));
}

function elementOf(event: Event): HTMLDivElement | null {
  const { detail } = event as CustomEvent<Partial<EnabledElement> & { element?: unknown }>;
  return detail.element instanceof HTMLDivElement ? detail.element : null;
}
