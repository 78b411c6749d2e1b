/** Whether OHIF shows the frames of a parametric map where they belong. Pure. */

type Item = Readonly<Record<string, unknown>>;
type Vector = readonly [number, number, number];

/**
 * Whether the frames go up along the normal of their planes (PS3.3 C.7.6.16.2.3).
 *
 * OHIF lays the frames of a map into its volume in the order of the file (3.11 to 3.14: the Cornerstone adapter sorts
 * them and then returns the unsorted ones); its volumes go up along the normal. Any other order shows the patient's head
 * at the feet, so that such a map must not be shown. An instance that does not say where its frames lie counts as false.
 */
export function isInVolumeOrder(instance: Item | undefined): boolean {
  const frames = items(instance?.['PerFrameFunctionalGroupsSequence']);
  const shared = items(instance?.['SharedFunctionalGroupsSequence'])[0];
  const depths = frames.map((frame) => depthOf(frame, shared));
  return depths.length > 0 && depths.every((depth, at) => depth !== null && (at === 0 || depth > (depths[at - 1] ?? Infinity)));
}

/**
 * Whether a map has a frame of 32 bits for every image, of its size.
 *
 * OHIF (3.11 to 3.14) takes the place of a frame among the images for its place in the map: with any other number of
 * frames it writes past the end and the whole viewer stops. Maps of 16 bits it does not draw.
 */
export function fitsImages(instance: Item | undefined, images: readonly (Item | null)[]): boolean {
  const alike = (image: Item | null, name: string): boolean => image !== null && Number(image[name]) === Number(instance?.[name]);
  if (Number(instance?.['NumberOfFrames']) !== images.length || Number(instance?.['BitsAllocated']) !== 32) return false;
  return images.every((image) => alike(image, 'Rows') && alike(image, 'Columns'));
}

function depthOf(frame: Item, shared: Item | undefined): number | null {
  const position = numbers(first(frame, 'PlanePositionSequence')?.['ImagePositionPatient']);
  const plane = first(frame, 'PlaneOrientationSequence') ?? (shared && first(shared, 'PlaneOrientationSequence'));
  const [rx, ry, rz, cx, cy, cz] = numbers(plane?.['ImageOrientationPatient']);
  const [x, y, z] = position;
  if (x === undefined || y === undefined || z === undefined || cz === undefined) return null;
  const normal = cross([rx ?? 0, ry ?? 0, rz ?? 0], [cx ?? 0, cy ?? 0, cz]);
  return x * normal[0] + y * normal[1] + z * normal[2];
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function first(item: Item, sequence: string): Item | undefined {
  return items(item[sequence])[0];
}

/** A sequence of one item may come as that item. */
function items(sequence: unknown): Item[] {
  const list: unknown[] = Array.isArray(sequence) ? sequence : [sequence];
  return list.filter((item): item is Item => typeof item === 'object' && item !== null);
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) ? value.map(Number) : [];
}
