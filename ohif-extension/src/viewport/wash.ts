/** The heat over the image. */
import type { SvgDrawingHelper, Viewport } from '../ohif/types';
import { applied, inSvg, pictureMatrix, type Matrix } from './affine';
import { FAINT } from './colours';
import { SCALE } from './heat-picture';
import type { DrawnHeat } from './heats';
import { drawLine, nodeOf, setAttributes } from './svg';

/** What an image is washed with. */
export interface Wash {
  readonly drawn: DrawnHeat;
  readonly opacity: number;
}

/** Draws heat over the image of a viewport; false where it cannot be seen there. */
export function drawWash(viewport: Viewport, svg: SvgDrawingHelper, { drawn, opacity }: Wash): boolean {
  const matrix = pictureMatrix(drawn.grid, SCALE, (point) => viewport.worldToCanvas(point));
  if (matrix === null) return false;
  drawPicture(svg, drawn, matrix, opacity);
  if (drawn.heat.peak_heat >= FAINT) drawPeak(svg, viewport, drawn, matrix);
  return true;
}

function drawPicture(svg: SvgDrawingHelper, drawn: DrawnHeat, matrix: Matrix, opacity: number): void {
  const image = nodeOf(svg, 'pa-heat', 'image', (created) => {
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

/** A ring around the patch where the heat is strongest. */
function drawPeak(svg: SvgDrawingHelper, viewport: Viewport, drawn: DrawnHeat, matrix: Matrix): void {
  const [x, y] = viewport.worldToCanvas(drawn.heat.peak_mm);
  drawLine(svg, 'heat-peak', circle(x, y, Math.max(5, halfPatch_px(matrix))), { stroke: '#a8ccff', 'stroke-dasharray': '6 4' });
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
