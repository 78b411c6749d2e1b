/** The heat over the image: a display tool of Cornerstone that draws into the viewer's own layer of SVG. */
import type { CornerstoneLibraries, SvgDrawingHelper, Viewport } from '../ohif/types';
import { applied, inSvg, pictureMatrix, type Matrix } from './affine';
import { FAINT } from './colours';
import { SCALE } from './heat-picture';
import type { DrawnHeat } from './heats';

export const TOOL_NAME = 'PacsAgentHeat';
const SVG = 'http://www.w3.org/2000/svg';
const MARK_COLOUR = '#a8ccff';

/** What a viewport's image is washed with now; null for nothing. */
export type WashOf = (viewport: Viewport) => { readonly drawn: DrawnHeat; readonly opacity: number } | null;

let washOf: WashOf = () => null;

/** Registers the tool with the viewer's Cornerstone; it is registered once for each page, whoever washes. */
export function registerWash({ cornerstoneTools }: CornerstoneLibraries): void {
  class HeatWash extends cornerstoneTools.AnnotationDisplayTool {
    static toolName = TOOL_NAME;

    /** Cornerstone calls this with every change of the image or of the camera. */
    renderAnnotation({ viewport }: { viewport: Viewport }, svg: SvgDrawingHelper): boolean {
      return drawWash(viewport, svg);
    }
  }
  cornerstoneTools.addTool(HeatWash);
}

/** Says what is drawn from now on. */
export function washWith(next: WashOf): void {
  washOf = next;
}

function drawWash(viewport: Viewport, svg: SvgDrawingHelper): boolean {
  const wash = washOf(viewport);
  if (wash === null) return false;
  const { drawn, opacity } = wash;
  const matrix = pictureMatrix(drawn.grid, SCALE, (point) => viewport.worldToCanvas(point));
  if (matrix === null) return false;
  drawPicture(svg, `${TOOL_NAME}-picture`, drawn, matrix, opacity);
  if (drawn.heat.peak_heat >= FAINT) drawPeak(svg, `${TOOL_NAME}-peak`, viewport, drawn, matrix);
  return true;
}

function drawPicture(svg: SvgDrawingHelper, key: string, drawn: DrawnHeat, matrix: Matrix, opacity: number): void {
  const image = nodeOf(svg, key, 'image', (created) => {
    created.setAttribute('preserveAspectRatio', 'none');
    created.dataset['pa'] = 'heat';
    svg.svgLayerElement.prepend(created); // below the reader's own measurements
  });
  setAttributes(image, {
    href: drawn.url,
    width: String(drawn.grid.columns * SCALE),
    height: String(drawn.grid.rows * SCALE),
    transform: inSvg(matrix),
    opacity: opacity.toFixed(2),
  });
}

/** A ring around the patch where the heat is strongest, dark below light, so that it shows on any grey. */
function drawPeak(svg: SvgDrawingHelper, key: string, viewport: Viewport, drawn: DrawnHeat, matrix: Matrix): void {
  const [x, y] = viewport.worldToCanvas(drawn.heat.peak_mm);
  const ring = circle(x, y, Math.max(5, halfPatch_px(matrix)));
  for (const [name, colour, width] of [['back', '#000', 3.5], ['front', MARK_COLOUR, 1.5]] as const) {
    const path = nodeOf(svg, `${key}-${name}`, 'path', (created) => {
      setAttributes(created, { fill: 'none', stroke: colour, 'stroke-width': String(width), 'stroke-dasharray': '6 4' });
      created.dataset['pa'] = 'heat-peak';
    });
    setAttributes(path, { d: ring });
  }
}

function halfPatch_px(matrix: Matrix): number {
  const from = applied(matrix, [0, 0]);
  const to = applied(matrix, [SCALE, 0]);
  return Math.hypot(to[0] - from[0], to[1] - from[1]) / 2;
}

function circle(x: number, y: number, radius: number): string {
  const [left, right, r] = [(x - radius).toFixed(1), (x + radius).toFixed(1), radius.toFixed(1)];
  return `M${left} ${y.toFixed(1)}A${r} ${r} 0 1 1 ${right} ${y.toFixed(1)}A${r} ${r} 0 1 1 ${left} ${y.toFixed(1)}`;
}

/** The node of a key, made when it is not there; Cornerstone removes those that a drawing did not touch. */
function nodeOf(svg: SvgDrawingHelper, key: string, tag: 'image' | 'path', onCreated: (node: SVGElement) => void): SVGElement {
  const existing = svg.getSvgNode(key);
  if (existing) {
    svg.setNodeTouched(key);
    return existing;
  }
  const created = document.createElementNS(SVG, tag);
  svg.appendNode(created, key);
  onCreated(created);
  return created;
}

function setAttributes(node: SVGElement, attributes: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
}
