/** Loads the images of evidence before the reader jumps to them. */
import type { Result } from '../api/types';
import type { Viewport, ViewportServices } from '../ohif/types';
import { standing } from '../store/derived';
import { store } from '../store/store';
import { imageLoaderOf } from './services';
import type { ShownViewports } from './shown';
import { keyOf } from './slices';

/** Images loaded at once: more would hold up what the reader scrolls to. */
const AT_ONCE = 2;

/** From the first image on display, for each result, in the order of the panel. Returns the function that ends it. */
export function loadEvidenceImages(services: ViewportServices, shown: ShownViewports): () => void {
  const loader = imageLoaderOf(services);
  let done = '';
  let stopped = false;
  const begin = (): void => {
    const result = store.get().answer?.result ?? null;
    const imageIds = result && !stopped ? evidenceImages(result, shown) : [];
    const name = imageIds.join();
    if (loader === null || imageIds.length === 0 || name === done) return;
    done = name;
    const queue = [...imageIds];
    const next = (): Promise<void> | undefined => {
      const imageId = stopped || done !== name ? undefined : queue.shift();
      return imageId === undefined ? undefined : loader(imageId).then(next);
    };
    for (let each = 0; each < AT_ONCE; each++) void next();
  };
  const ends = [store.subscribe(begin), shown.subscribe((event) => event === 'slice' && begin())];
  begin();
  return () => {
    stopped = true;
    ends.forEach((end) => end());
  };
}

/** Image ids of the slices that findings rest on, in stacks; a volume loads all of its images anyway. */
function evidenceImages(result: Result, shown: ShownViewports): string[] {
  const stack = shown.viewports.find((viewport) => isStackOf(viewport, result, shown));
  const scrolled = stack && shown.scrolled(stack);
  if (!scrolled) return [];
  const slices = standing(result).flatMap((finding) => finding.evidence);
  const places = slices.map(({ sop_instance_uid, frame_number }) => scrolled.places.get(keyOf({ sopInstanceUid: sop_instance_uid, frame: frame_number })));
  const imageIds = places.map((place) => (place === undefined ? undefined : scrolled.imageIds[place]));
  return [...new Set(imageIds.filter((imageId) => imageId !== undefined))];
}

function isStackOf(viewport: Viewport, result: Result, shown: ShownViewports): boolean {
  const [first] = result.series.slices;
  if (viewport.type !== 'stack' || first === undefined) return false;
  const key = keyOf({ sopInstanceUid: first.sop_instance_uid, frame: first.frame_number });
  return shown.scrolled(viewport)?.places.has(key) ?? false;
}
