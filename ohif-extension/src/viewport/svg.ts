/** Nodes of SVG in the layer that Cornerstone keeps over an image. */
import type { SvgDrawingHelper } from '../ohif/types';

const SVG = 'http://www.w3.org/2000/svg';

/** The node of a key, made when it is not there; Cornerstone removes those that a drawing did not touch. */
export function nodeOf(
  svg: SvgDrawingHelper,
  key: string,
  tag: 'image' | 'path',
  onCreated: (node: SVGElement) => void,
): SVGElement {
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

/** A line of ours, dark below its colour, so that it shows on any grey. `name`: what it is, for tests. */
export function drawLine(
  svg: SvgDrawingHelper,
  name: string,
  d: string,
  attributes: Readonly<Record<string, string>> & { readonly stroke: string },
): void {
  for (const [which, colour, width] of [['back', '#000', 3.5], ['front', attributes.stroke, 1.5]] as const) {
    const path = nodeOf(svg, `pa-${name}-${which}`, 'path', (created) => {
      setAttributes(created, { ...attributes, fill: 'none', stroke: colour, 'stroke-width': String(width) });
      created.dataset['pa'] = name;
    });
    setAttributes(path, { d });
  }
}

/** Sets what is not so already. */
export function setAttributes(node: SVGElement, attributes: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
}
