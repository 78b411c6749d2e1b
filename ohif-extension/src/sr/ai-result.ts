/** An AI result SR (TID 1500) as the same Result the agent's API gives. */
import type { Finding, Model, Result, Sentence, Series } from '../api/types';
import { sincePriorOf } from './changes';
import * as C from './concepts';
import { all, contentOf, first, is, type Concept, type ContentItem } from './content';
import { items, text, type Dataset } from './dataset';
import { distancesIn } from './distances';
import { findingOf } from './finding';
import { measurementsOf } from './regions';
import { isByAgent, isOurs } from './ours';
import { anatomicalPlane, pixelOf, slicesOf } from './slices';

/** Segmentation Storage. PS3.4 B.5. */
const SEGMENTATION = '1.2.840.10008.5.1.4.1.1.66.4';

/** The images of one series that an AI result was made of, in slice order. */
export interface Sources {
  seriesInstanceUid: string;
  frameOfReferenceUid: string | null;
  sopInstanceUids: string[];
}

/** True for an AI result; false for the assessment of one, which a person made. */
export function isAiResult(dataset: Dataset): boolean {
  return isOurs(dataset) && is(first(contentOf(dataset), C.OBSERVER_TYPE)?.code ?? null, C.DEVICE);
}

/** Why the agent said nothing of the study, from its "no result" document; null for any other document. */
export function refusalOf(dataset: Dataset): string | null {
  const summary = isByAgent(dataset) ? first(contentOf(dataset), C.SUMMARY) : null;
  const conclusions = summary ? all(summary, C.CONCLUSION) : [];
  if (!conclusions.some((each) => is(each.code, C.NO_RESULT))) return null;
  return conclusions.map((each) => each.text).filter((said) => said !== '').join(' ');
}

/** The series of an AI result, one at least, in the order of its image library: each is a group of that. TID 1600. */
export function sourcesOf(dataset: Dataset): [Sources, ...Sources[]] {
  const library = first(contentOf(dataset), C.IMAGE_LIBRARY);
  const groups = library ? all(library, C.IMAGE_LIBRARY_GROUP) : [];
  const [series = { seriesInstanceUid: '', frameOfReferenceUid: null, sopInstanceUids: [] }, ...others] = groups.map((group) => {
    const sopInstanceUids = group.children.flatMap(({ image }) => (image ? [image.sopInstanceUid] : []));
    const frameOfReferenceUid = first(group, C.FRAME_OF_REFERENCE)?.uid ?? null;
    return { sopInstanceUids, frameOfReferenceUid, seriesInstanceUid: seriesOf(dataset, sopInstanceUids[0] ?? '') };
  });
  return [series, ...others];
}

/** The result. `headers`: what the viewer knows of the source images. */
export function resultOf(dataset: Dataset, headers: readonly Dataset[]): Result {
  const content = contentOf(dataset);
  const [sources, ...furtherSources] = sourcesOf(dataset);
  const series = seriesRead(sources, headers);
  const furtherSeries = furtherSources.map((each) => seriesRead(each, headers));
  const slices = [series, ...furtherSeries].flatMap((each) => each.slices);
  const places = new Map(slices.map((slice, index) => [sliceKey(slice.sop_instance_uid, slice.frame_number), index]));
  const indexOf = (uid: string, frame: number | null): number => places.get(sliceKey(uid, frame)) ?? -1;
  const groups = first(content, C.IMAGING_MEASUREMENTS)?.children ?? [];
  const findings = groups.map((group) => findingOf(group, slices.length, indexOf)).filter((each) => each !== null);
  markPixels(findings, headers);
  return {
    job_id: text(dataset, 'SOPInstanceUID'),
    run: 1,
    created_at: writtenAt(dataset),
    model: modelOf(dataset, content, groups[0]),
    series,
    further_series: furtherSeries,
    findings,
    sentences: sentencesOf(first(content, C.FINDINGS), findings),
    impression: sentencesOf(first(content, C.IMPRESSIONS), findings),
    evidence_method: evidenceMethod(groups),
    measurements: measurementsOf(groups, findings, indexOf),
    distances: distancesIn(groups, findings, indexOf),
    since_prior: sincePriorOf(content, findings, text(dataset, 'StudyDate')),
    objects: [objectOf(dataset), ...segmentationsOf(dataset)],
  };
}

/**
 * When the document was written, ISO 8601. Content Date and Time name no zone; what the agent says of its own
 * contribution does (PS3.3 C.12.1, Contributing Equipment Sequence).
 */
export function writtenAt(dataset: Dataset): string {
  const contributed = items(dataset, 'ContributingEquipmentSequence').map((each) => text(each, 'ContributionDateTime'));
  const zoned = contributed.map((said) => isoOf(said)).find((said) => said !== '');
  return zoned ?? isoOf(text(dataset, 'ContentDate') + text(dataset, 'ContentTime'));
}

/** VR DT, PS3.5 6.2; empty where it is none to the second. */
function isoOf(dateTime: string): string {
  const parts = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(?:\.\d*)?(?:([+-]\d{2})(\d{2}))?$/.exec(dateTime);
  if (!parts) return '';
  const [, year, month, day, hour, minute, second, zoneHours, zoneMinutes] = parts;
  const zone = zoneHours && zoneMinutes ? `${zoneHours}:${zoneMinutes}` : '';
  return `${year ?? ''}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}${zone}`;
}

/** Frames are named only where an instance has several, PS3.3 10.3. */
function sliceKey(uid: string, frame: number | null): string {
  return `${uid}#${frame ?? ''}`;
}

function seriesOf(dataset: Dataset, sopInstanceUid: string): string {
  const holds = (each: Dataset): boolean =>
    items(each, 'ReferencedSOPSequence').some((image) => text(image, 'ReferencedSOPInstanceUID') === sopInstanceUid);
  const found = evidenceSeries(dataset).find(holds);
  return found ? text(found, 'SeriesInstanceUID') : '';
}

/** The series that the document rests on. PS3.3 C.17.2. */
function evidenceSeries(dataset: Dataset): Dataset[] {
  const studies = items(dataset, 'CurrentRequestedProcedureEvidenceSequence');
  return studies.flatMap((study) => items(study, 'ReferencedSeriesSequence'));
}

function seriesRead({ seriesInstanceUid, frameOfReferenceUid, sopInstanceUids }: Sources, headers: readonly Dataset[]): Series {
  const own = headers.find((header) => sopInstanceUids.includes(text(header, 'SOPInstanceUID')));
  const plane = own && anatomicalPlane(own);
  const modality = own ? text(own, 'Modality') : '';
  return {
    series_instance_uid: seriesInstanceUid,
    frame_of_reference_uid: frameOfReferenceUid,
    description: own ? text(own, 'SeriesDescription') : '',
    ...(modality !== '' && { modality }),
    ...(plane && { plane }),
    slices: slicesOf(sopInstanceUids, headers),
  };
}

function markPixels(findings: Finding[], headers: readonly Dataset[]): void {
  const known = new Map(headers.map((header) => [text(header, 'SOPInstanceUID'), header]));
  for (const each of findings.flatMap((finding) => finding.evidence)) {
    each.peak_px = each.peak_mm && pixelOf(each.peak_mm, known.get(each.sop_instance_uid));
  }
}

function modelOf(dataset: Dataset, content: ContentItem, group: ContentItem | undefined): Model {
  const comments = all(content, C.COMMENT).map((comment) => comment.text);
  const statement = comments.map((said) => /^Intended use: (.*?) ?Training data: (.*)$/s.exec(said)).find(Boolean);
  const said = (concept: Concept): string => (group && first(group, concept)?.text) ?? '';
  return {
    name: said(C.ALGORITHM_NAME),
    version: said(C.ALGORITHM_VERSION),
    digest: '',
    device_uid: text(dataset, 'DeviceSerialNumber'),
    manufacturer: text(dataset, 'Manufacturer'),
    intended_use: statement?.[1] ?? '',
    training_data: statement?.[2] ?? '',
    demo: comments.some((comment) => comment.includes('Demonstration model')),
  };
}

/** What the model wrote; a heading under which it wrote nothing has one text without grounds. */
function sentencesOf(heading: ContentItem | null, findings: Finding[]): Sentence[] {
  const texts = heading?.children.filter((child) => child.valueType === 'TEXT') ?? [];
  return texts.map((sentence) => ({
    text: sentence.text,
    findings: all(sentence, C.FINDING).flatMap(({ code }) =>
      findings.filter((each) => code && is(each.code, [code.value, code.scheme])).map((each) => each.key),
    ),
    positive: sentence.children.some((child) => child.image),
    fixed: false,
  }));
}

function evidenceMethod(groups: readonly ContentItem[]): string | null {
  const parameters = groups.flatMap((group) => all(group, C.ALGORITHM_PARAMETERS));
  const said = parameters.map((parameter) => /^slice evidence by (.+)$/.exec(parameter.text)?.[1]).find(Boolean);
  return said?.replaceAll(' ', '_') ?? null;
}

function objectOf(dataset: Dataset): Result['objects'][number] {
  return {
    kind: 'ai_result',
    sop_class_uid: text(dataset, 'SOPClassUID'),
    sop_instance_uid: text(dataset, 'SOPInstanceUID'),
    series_instance_uid: text(dataset, 'SeriesInstanceUID'),
    deliveries: [],
  };
}

/** The segmentations that were written with the document. */
function segmentationsOf(dataset: Dataset): Result['objects'] {
  return evidenceSeries(dataset).flatMap((series) =>
    items(series, 'ReferencedSOPSequence')
      .filter((each) => text(each, 'ReferencedSOPClassUID') === SEGMENTATION)
      .map((each) => ({
        kind: 'segmentation',
        sop_class_uid: SEGMENTATION,
        sop_instance_uid: text(each, 'ReferencedSOPInstanceUID'),
        series_instance_uid: text(series, 'SeriesInstanceUID'),
        deliveries: [],
      })),
  );
}
