/** The content tree of an SR. PS3.3 C.17.3. */
import type { Coded } from '../api/types';
import { item, items, numbers, text, type Dataset } from './dataset';

export type Point = [number, number, number];

export interface ContentItem {
  valueType: string;
  name: Coded;
  /** Of a CODE. */
  code: Coded | null;
  /** Of a TEXT; empty in others. */
  text: string;
  /** Of a UIDREF; empty in others. */
  uid: string;
  /** Of a DATE, VR DA; empty in others. */
  date: string;
  /** Of a NUM. */
  value: number | null;
  /** Of a NUM: code of its unit, UCUM; empty in others. */
  unit: string;
  /** Of an IMAGE. */
  image: ImageReference | null;
  /** Of a SCOORD3D: its first point, in mm. */
  point: Point | null;
  /** Of a SCOORD3D: all of its points. */
  points: readonly Point[];
  children: ContentItem[];
}

export interface ImageReference {
  sopInstanceUid: string;
  frame: number | null;
  /** Of a segmentation; null in references to others. */
  segment: number | null;
}

/** Concept value and coding scheme, enough to tell concepts apart. */
export type Concept = readonly [value: string, scheme: string];

export function contentOf(dataset: Dataset): ContentItem {
  const concept = item(dataset, 'ConceptCodeSequence');
  const measured = item(dataset, 'MeasuredValueSequence');
  const points = pointsOf(numbers(dataset, 'GraphicData'));
  return {
    valueType: text(dataset, 'ValueType'),
    name: coded(item(dataset, 'ConceptNameCodeSequence') ?? {}),
    code: concept && coded(concept),
    text: text(dataset, 'TextValue'),
    uid: text(dataset, 'UID'),
    date: text(dataset, 'Date'),
    value: measured && (numbers(measured, 'NumericValue')[0] ?? null),
    unit: measured ? coded(item(measured, 'MeasurementUnitsCodeSequence') ?? {}).value : '',
    image: imageOf(item(dataset, 'ReferencedSOPSequence')),
    point: points[0] ?? null,
    points,
    children: items(dataset, 'ContentSequence').map(contentOf),
  };
}

export function is(code: Coded | null, [value, scheme]: Concept): boolean {
  return code?.value === value && code.scheme === scheme;
}

/** The children of that name. */
export function all(parent: ContentItem, concept: Concept): ContentItem[] {
  return parent.children.filter((child) => is(child.name, concept));
}

/** The first child of that name. */
export function first(parent: ContentItem, concept: Concept): ContentItem | null {
  return parent.children.find((child) => is(child.name, concept)) ?? null;
}

export function coded(dataset: Dataset): Coded {
  return {
    value: text(dataset, 'CodeValue') || text(dataset, 'LongCodeValue'),
    scheme: text(dataset, 'CodingSchemeDesignator'),
    meaning: text(dataset, 'CodeMeaning'),
  };
}

function imageOf(reference: Dataset | null): ImageReference | null {
  const sopInstanceUid = reference ? text(reference, 'ReferencedSOPInstanceUID') : '';
  if (!reference || sopInstanceUid === '') return null;
  return {
    sopInstanceUid,
    frame: numbers(reference, 'ReferencedFrameNumber')[0] ?? null,
    segment: numbers(reference, 'ReferencedSegmentNumber')[0] ?? null,
  };
}

/** Triples of numbers; what is left over is none. */
function pointsOf([x, y, z, ...others]: number[]): Point[] {
  return x === undefined || y === undefined || z === undefined ? [] : [[x, y, z], ...pointsOf(others)];
}
