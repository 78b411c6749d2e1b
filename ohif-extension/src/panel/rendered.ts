/** Small pictures of slices: where they are to be had, in which window, and those that were fetched. */
import type { Finding, Series } from '../api/types';

/** Centre and width in HU. */
export interface CtWindow {
  readonly center: number;
  readonly width: number;
}

const LUNG: CtWindow = { center: -600, width: 1500 };
const SOFT_TISSUE: CtWindow = { center: 40, width: 400 };
const CALCIUM: CtWindow = { center: 300, width: 1500 };

/** Findings of which the site alone does not tell in which window they are seen. */
const OF_FINDING: Readonly<Record<string, CtWindow>> = {
  medical_material: CALCIUM,
  coronary_artery_wall_calcification: CALCIUM,
  arterial_wall_calcification: CALCIUM,
};

/** The SNOMED CT code of the lung. */
const LUNG_SITE = '39607008';

/** The window in which a radiologist looks for the finding; null where only the images themselves tell, as of MR. */
export function windowOf(
  finding: Pick<Finding, 'key' | 'site'>,
  { modality = 'CT' }: Pick<Series, 'modality'> = {},
): CtWindow | null {
  if (modality !== 'CT') return null;
  return OF_FINDING[finding.key] ?? (finding.site.value === LUNG_SITE ? LUNG : SOFT_TISSUE);
}

/** A slice as DICOMweb names it. */
export interface SliceAddress {
  study: string;
  series: string;
  instance: string;
  /** From 1; null for an instance of one frame. */
  frame: number | null;
}

/** Where the viewer has its images from, and what a request there carries. */
export interface PictureSource {
  /** Of WADO-RS, without a slash at the end. */
  root: string;
  headers: Readonly<Record<string, string>>;
}

let currentSource = (): PictureSource => ({ root: '/dicom-web', headers: {} });

/** To be told by whoever knows the viewer; asked for each picture anew. */
export function setPictureSource(next: () => PictureSource): void {
  currentSource = next;
}

const SIZE_PX = 256;
const KEPT = 60;
const pictures = new Map<string, Promise<string>>();

/** The address of a rendered resource (PS3.18 10.4.1.1.3) with its window, if any, and largest size (8.3.5.1). */
export function renderedAddress(root: string, at: SliceAddress, window: CtWindow | null): string {
  const frame = at.frame === null ? '' : `/frames/${at.frame}`;
  const windowed = window === null ? '' : `window=${window.center},${window.width},linear&`;
  const query = `${windowed}viewport=${SIZE_PX},${SIZE_PX}`;
  return `${root}/studies/${at.study}/series/${at.series}/instances/${at.instance}${frame}/rendered?${query}`;
}

/** The address of a picture in this page. Rejects where the archive has none. The last few are kept. */
export function picture(at: SliceAddress, window: CtWindow | null): Promise<string> {
  const source = currentSource();
  const address = renderedAddress(source.root, at, window);
  const kept = pictures.get(address) ?? fetchPicture(address, source.headers);
  pictures.delete(address);
  pictures.set(address, kept);
  kept.catch(() => pictures.delete(address));
  for (const oldest of [...pictures.keys()].slice(0, Math.max(0, pictures.size - KEPT))) drop(oldest);
  return kept;
}

/** Lets go of all pictures, as when another study is opened. */
export function dropPictures(): void {
  for (const address of [...pictures.keys()]) drop(address);
}

async function fetchPicture(address: string, headers: PictureSource['headers']): Promise<string> {
  const asked = { headers: { ...headers, Accept: 'image/jpeg' } };
  const response = await fetch(address, { ...asked, credentials: 'include' }).catch((error: unknown) => {
    // An archive on another host may refuse cookies as such (CORS with a wildcard): the viewer sends it none either.
    if (error instanceof TypeError) return fetch(address, { ...asked, credentials: 'omit' });
    throw error;
  });
  if (!response.ok) throw new Error(`no picture: ${response.status}`);
  return URL.createObjectURL(await response.blob());
}

function drop(address: string): void {
  void pictures.get(address)?.then(
    (picture) => URL.revokeObjectURL(picture),
    () => undefined,
  );
  pictures.delete(address);
}
