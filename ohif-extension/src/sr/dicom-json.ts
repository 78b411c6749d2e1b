/** The DICOM JSON model (PS3.18 F) as data sets by keyword, as dcmjs would name them. Only what this folder reads. */
import { isFields } from '../api/guards';
import type { Dataset } from './dataset';

const KEYWORDS: Readonly<Record<string, string>> = {
  '00080016': 'SOPClassUID',
  '00080018': 'SOPInstanceUID',
  '00080020': 'StudyDate',
  '00080023': 'ContentDate',
  '00080033': 'ContentTime',
  '00080060': 'Modality',
  '00080070': 'Manufacturer',
  '00080100': 'CodeValue',
  '00080102': 'CodingSchemeDesignator',
  '00080104': 'CodeMeaning',
  '00080119': 'LongCodeValue',
  '00081090': 'ManufacturerModelName',
  '00080201': 'TimezoneOffsetFromUTC',
  '0008103E': 'SeriesDescription',
  '00081115': 'ReferencedSeriesSequence',
  '00081150': 'ReferencedSOPClassUID',
  '00081155': 'ReferencedSOPInstanceUID',
  '00081160': 'ReferencedFrameNumber',
  '00081199': 'ReferencedSOPSequence',
  '00181000': 'DeviceSerialNumber',
  '00181020': 'SoftwareVersions',
  '0018A001': 'ContributingEquipmentSequence',
  '0018A002': 'ContributionDateTime',
  '0020000D': 'StudyInstanceUID',
  '0020000E': 'SeriesInstanceUID',
  '00200013': 'InstanceNumber',
  '00200032': 'ImagePositionPatient',
  '00200037': 'ImageOrientationPatient',
  '00280008': 'NumberOfFrames',
  '00280010': 'Rows',
  '00280011': 'Columns',
  '00280030': 'PixelSpacing',
  '004008EA': 'MeasurementUnitsCodeSequence',
  '0040A010': 'RelationshipType',
  '0040A040': 'ValueType',
  '0040A043': 'ConceptNameCodeSequence',
  '0040A121': 'Date',
  '0040A124': 'UID',
  '0040A160': 'TextValue',
  '0040A168': 'ConceptCodeSequence',
  '0040A300': 'MeasuredValueSequence',
  '0040A30A': 'NumericValue',
  '0040A375': 'CurrentRequestedProcedureEvidenceSequence',
  '0040A730': 'ContentSequence',
  '0062000B': 'ReferencedSegmentNumber',
  '00700022': 'GraphicData',
};

/** A data set by keyword; what has no value, or a keyword that nobody here reads, is left out. */
export function byKeyword(json: unknown): Dataset {
  if (!isFields(json)) return {};
  const named = Object.entries(json).flatMap(([tag, element]) => {
    const keyword = KEYWORDS[tag.toUpperCase()];
    const values = isFields(element) ? element.Value : undefined;
    return keyword !== undefined && Array.isArray(values) ? [[keyword, (values as unknown[]).map(valueOf)] as const] : [];
  });
  return Object.fromEntries(named);
}

/** Items of sequences are objects; so are names of persons, which then have no keyword and stay empty. */
function valueOf(value: unknown): unknown {
  return isFields(value) ? byKeyword(value) : value;
}
