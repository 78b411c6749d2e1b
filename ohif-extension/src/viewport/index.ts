/**
 * What the agent shows on the images: evidence by slice, heat in the slice, the way from one to the next, and
 * a point in every plane.
 *
 * In come the viewer's services and the session; nothing goes out but `store.current`. All of it ends with the mode.
 */
import { guarded } from '../ohif/guarded';
import type { Viewport, ViewportServices } from '../ohif/types';
import { store } from '../store/store';
import { Furniture } from './furniture';
import { HeatLayer } from './heat-layer';
import { loadEvidenceImages } from './images';
import { listenToKeys } from './keyboard';
import { Layer } from './layer';
import { followSlices } from './navigate';
import { followOverlays } from './overlays';
import { followPoint } from './point';
import { ShownViewports } from './shown';

/** Starts with the mode; the returned function takes everything away again, each part even where another one fails. */
export function start(services: ViewportServices): () => void {
  const shown = new ShownViewports(services);
  const followed = followSlices(services, shown);
  const layer = new Layer(services, shown);
  const heat = new HeatLayer(layer, shown);
  const ends = [
    followed,
    () => layer.stop(),
    () => heat.stop(),
    followPoint(layer),
    furnish(shown, heat),
    loadEvidenceImages(services, shown),
    followOverlays(services, shown),
    listenToKeys(services),
  ];
  return () => [...ends.reverse(), () => shown.stop()].forEach((end) => guarded('take evidence off the images', end, undefined));
}

/** Gives each viewport its furniture and keeps it up with the session. */
function furnish(shown: ShownViewports, heat: HeatLayer): () => void {
  const furniture = new Map<Viewport, Furniture>();
  const remove = (viewport: Viewport): void => {
    furniture.get(viewport)?.remove();
    furniture.delete(viewport);
  };
  const add = (viewport: Viewport): void => void furniture.set(viewport, new Furniture(viewport, shown, heat));
  shown.viewports.forEach(add);
  const ends = [
    shown.subscribe((event, viewport) => {
      if (event === 'came') add(viewport);
      else if (event === 'gone') remove(viewport);
      else furniture.get(viewport)?.update(store.get());
    }),
    store.subscribe(() => furniture.forEach((each) => each.update(store.get()))),
    heat.subscribe(() => furniture.forEach((each) => each.update(store.get()))),
  ];
  return () => {
    ends.forEach((end) => end());
    [...furniture.keys()].forEach(remove);
  };
}
