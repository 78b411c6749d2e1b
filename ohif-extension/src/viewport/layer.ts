/** What we draw over the images: a display tool of Cornerstone that draws into the viewer's own layer of SVG. */
import type { CornerstoneLibraries, SvgDrawingHelper, ToolGroup, Viewport, ViewportServices } from '../ohif/types';
import { toolGroupOf } from './services';
import type { ShownViewports } from './shown';

export const TOOL_NAME = 'PacsAgentLayer';

/** Draws over the image of a viewport; whether it drew anything. */
export type Painter = (viewport: Viewport, svg: SvgDrawingHelper) => boolean;

/** Of the page: Cornerstone keeps the first tool of a name, whoever paints. */
const painters = new Set<Painter>();

/** The tool in every tool group that has a viewport, until `stop`. */
export class Layer {
  readonly #services: ViewportServices;
  readonly #shown: ShownViewports;
  readonly #groups = new Set<ToolGroup>();
  readonly #end: () => void;

  constructor(services: ViewportServices, shown: ShownViewports) {
    this.#services = services;
    this.#shown = shown;
    register(services.libraries);
    this.#end = shown.subscribe((event, viewport) => event !== 'gone' && this.#enable(viewport));
    shown.viewports.forEach((viewport) => this.#enable(viewport));
  }

  /** Lets a painter draw with every change of an image or a camera. Returns the function that ends it. */
  paint(painter: Painter): () => void {
    painters.add(painter);
    return () => void painters.delete(painter);
  }

  /** Draws all viewports again. */
  redraw(): void {
    const { utilities } = this.#services.libraries.cornerstoneTools;
    const { viewports } = this.#shown;
    if (utilities?.triggerAnnotationRenderForViewportIds) {
      utilities.triggerAnnotationRenderForViewportIds(viewports.map((viewport) => viewport.id));
      return;
    }
    viewports.forEach((viewport) => viewport.render());
  }

  stop(): void {
    this.#end();
    painters.clear();
    if (this.#shown.viewports.length > 0) this.#disable();
    this.#groups.clear();
  }

  #enable(viewport: Viewport): void {
    const group = toolGroupOf(this.#services, viewport);
    if (!group || this.#groups.has(group)) return;
    if (!group.hasTool?.(TOOL_NAME)) group.addTool(TOOL_NAME);
    group.setToolEnabled(TOOL_NAME);
    this.#groups.add(group);
  }

  /** Only while there are viewports: Cornerstone draws again, and throws where the viewer has ended its engine before us. */
  #disable(): void {
    this.redraw();
    for (const group of this.#groups) group.setToolDisabled(TOOL_NAME);
  }
}

function register({ cornerstoneTools }: CornerstoneLibraries): void {
  class DrawnLayer extends cornerstoneTools.AnnotationDisplayTool {
    static toolName = TOOL_NAME;

    /** Cornerstone calls this with every change of the image or of the camera. */
    renderAnnotation({ viewport }: { viewport: Viewport }, svg: SvgDrawingHelper): boolean {
      return [...painters].map((paint) => paint(viewport, svg)).includes(true);
    }
  }
  cornerstoneTools.addTool(DrawnLayer);
}
