/** The answer for a study as the PACS has it, for as long as no agent answers. */
import type { Earlier, StudyAnswer } from '../api/types';
import { sayOnce } from '../ohif/guarded';
import type { DisplaySetService, OhifContext } from '../ohif/types';
import type { ReadSr } from '../store/study';
import { isAiResult, refusalOf, resultOf, sourcesOf, writtenAt } from './ai-result';
import { text, type Dataset } from './dataset';
import { dataSourceOf, documentsOf, headersOf, loadedDocuments, loadedHeaders } from './find';

/** A reader of SRs through the viewer's active data source. What fails in it is said once, and counts as nothing found. */
export function srReader({ extensionManager, servicesManager }: OhifContext): ReadSr {
  return async (study) => {
    try {
      const source = dataSourceOf(extensionManager);
      const displaySets = servicesManager.services.displaySetService;
      const documents = source ? await documentsOf(source, study) : loadedDocuments(displaySets, study);
      return await answerOf(study, documents, (series) => headers(series, displaySets, source, study));
    } catch (error) {
      sayOnce('read the AI result from the PACS', error);
      return null;
    }
  };
}

/**
 * The newest of the agent's documents among `documents` as its answer; null where there is none.
 *
 * `headersOfSeries` gives what is known of the images of a series.
 */
export async function answerOf(
  study: string,
  documents: readonly Dataset[],
  headersOfSeries: (series: string) => Promise<Dataset[]>,
): Promise<StudyAnswer | null> {
  const known = documents.filter((each) => isAiResult(each) || refusalOf(each) !== null);
  const newestFirst = [...known].sort((a, b) => writtenAt(b).localeCompare(writtenAt(a)));
  const [newest] = newestFirst;
  if (!newest) return null;
  const refusal = refusalOf(newest);
  const answer = { study_instance_uid: study, job: null, history: newestFirst.map(earlier), review: null };
  if (refusal !== null) return { ...answer, state: 'not_applicable', reason: refusal, result: null };
  const series = new Set(sourcesOf(newest).map(({ seriesInstanceUid }) => seriesInstanceUid));
  const headers = await Promise.all([...series].map(headersOfSeries));
  const result = resultOf(newest, headers.flat());
  return { ...answer, state: 'ready', reason: '', result };
}

async function headers(
  series: string,
  displaySets: DisplaySetService | undefined,
  source: ReturnType<typeof dataSourceOf>,
  study: string,
): Promise<Dataset[]> {
  const loaded = loadedHeaders(displaySets, series);
  if (loaded.length > 0 || !source || series === '') return loaded;
  return headersOf(source, study, series);
}

function earlier(dataset: Dataset, index: number): Earlier {
  return {
    job_id: text(dataset, 'SOPInstanceUID'),
    created_at: writtenAt(dataset),
    state: 'done',
    model: text(dataset, 'ManufacturerModelName') || text(dataset, 'SoftwareVersions'),
    superseded: index > 0,
    reason: refusalOf(dataset) ?? '',
  };
}
