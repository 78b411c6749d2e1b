/** Where the viewer says that an image lies. */
import type { ImagePlane } from '../geometry/plane';
import { vector } from '../geometry/vector';
import { record, type MetaData } from './slices';

/** The plane of an image by Cornerstone's `imagePlaneModule`; null where its headers name none. */
export function imagePlane(imageId: string, metaData: MetaData): ImagePlane | null {
  const said = record(metaData('imagePlaneModule', imageId));
  if (said === null || said['usingDefaultValues'] === true) return null;
  const position = vector(said['imagePositionPatient']);
  const [row, column] = [vector(said['rowCosines']), vector(said['columnCosines'])];
  const [rowSpacing, columnSpacing] = [size(said['rowPixelSpacing']), size(said['columnPixelSpacing'])];
  const [rows, columns] = [size(said['rows']), size(said['columns'])];
  if (!position || !row || !column || !rowSpacing || !columnSpacing || !rows || !columns) return null;
  const frame = said['frameOfReferenceUID'];
  return {
    ...{ position, row, column, rowSpacing, columnSpacing, rows, columns },
    frameOfReference: typeof frame === 'string' ? frame : '',
    thickness_mm: size(said['sliceThickness']),
  };
}

/** A positive number; 0 for anything else. */
function size(value: unknown): number {
  const number = Number(value);
  return number > 0 && Number.isFinite(number) ? number : 0;
}
