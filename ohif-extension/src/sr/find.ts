/** Where the agent's documents are found while the agent itself is silent: the viewer's data source. */
import type { DisplaySetService, ExtensionManager } from '../ohif/types';
import { isFields } from '../api/guards';
import { text, type Dataset } from './dataset';
import { byKeyword } from './dicom-json';

/** OHIF's DICOMweb data source, as far as it is used here. */
interface DataSource {
  query: { series: { search(study: string): Promise<SeriesRow[]> } };
  retrieve: { getWadoDicomWebClient(): WadoClient };
}

interface SeriesRow {
  seriesInstanceUid: string;
  modality?: string;
  description?: string;
}

interface WadoClient {
  retrieveSeriesMetadata(series: { studyInstanceUID: string; seriesInstanceUID: string }): Promise<unknown>;
}

/** "AI result: …" and "No AI result: …" are the agent's own Series Descriptions (0008,103E). */
const TITLE = /AI result/i;

/** The active data source, or null where it is none that can be asked for metadata of a series. */
export function dataSourceOf(extensions: ExtensionManager): DataSource | null {
  const source = extensions.getActiveDataSource?.()[0];
  return isDataSource(source) ? source : null;
}

/** Documents of a study that may be the agent's. A PACS that tells no description is asked for every SR. */
export async function documentsOf(source: DataSource, study: string): Promise<Dataset[]> {
  const rows = await source.query.series.search(study);
  const likely = rows.filter(({ modality, description }) => modality === 'SR' && (!description || TITLE.test(description)));
  const found = await Promise.all(likely.map((row) => headersOf(source, study, row.seriesInstanceUid)));
  return found.flat();
}

/** Metadata of all instances of a series. */
export async function headersOf(source: DataSource, study: string, series: string): Promise<Dataset[]> {
  const client = source.retrieve.getWadoDicomWebClient();
  const json = await client.retrieveSeriesMetadata({ studyInstanceUID: study, seriesInstanceUID: series });
  return Array.isArray(json) ? (json as unknown[]).map(byKeyword) : [];
}

/** The SRs of a study that the viewer has loaded, from any kind of data source. */
export function loadedDocuments(displaySets: DisplaySetService | undefined, study: string): Dataset[] {
  const active = displaySets?.getActiveDisplaySets?.() ?? displaySets?.activeDisplaySets ?? [];
  return active
    .filter((each) => each.Modality === 'SR' && each.StudyInstanceUID === study)
    .flatMap((each) => each.instances ?? (each.instance ? [each.instance] : []));
}

/** What the viewer has loaded of the images of a series. */
export function loadedHeaders(displaySets: DisplaySetService | undefined, series: string): Dataset[] {
  const sets = displaySets?.getDisplaySetsForSeries?.(series) ?? [];
  return sets.flatMap((set) => imagesOf(set.images) ?? imagesOf(set.instances) ?? []);
}

function imagesOf(value: unknown): Dataset[] | null {
  if (!Array.isArray(value)) return null;
  const headers = (value as unknown[]).filter(isFields).filter((header) => text(header, 'SOPInstanceUID') !== '');
  return headers.length > 0 ? headers : null;
}

function isDataSource(source: unknown): source is DataSource {
  if (!isFields(source) || !isFields(source.query) || !isFields(source.retrieve)) return false;
  const { series } = source.query;
  return (
    isFields(series) &&
    typeof series.search === 'function' &&
    typeof source.retrieve.getWadoDicomWebClient === 'function'
  );
}
