/** Whether an SR is one of the agent's own measurement reports: by the equipment that wrote it and by its title. */
import { item, text, texts, type Dataset } from './dataset';

export const COMPREHENSIVE_3D_SR = '1.2.840.10008.5.1.4.1.1.88.34';
/** Enhanced SR and Comprehensive SR: what else OHIF reads as measurements. */
export const MEASUREMENT_SRS = [COMPREHENSIVE_3D_SR, '1.2.840.10008.5.1.4.1.1.88.33', '1.2.840.10008.5.1.4.1.1.88.22'];

const AGENT = 'pacs-agent ';
const IMAGING_MEASUREMENT_REPORT = '126000';

/**
 * True for AI results and their assessments, which the panel shows. Reports (TID 2000) stay with the viewer, which shows
 * them as text. The agent stands in Software Versions (0018,1020), the title in Concept Name Code Sequence.
 */
export function isOurs(dataset: Dataset): boolean {
  const title = item(dataset, 'ConceptNameCodeSequence');
  return (
    isByAgent(dataset) &&
    title !== null &&
    text(title, 'CodeValue') === IMAGING_MEASUREMENT_REPORT &&
    text(title, 'CodingSchemeDesignator') === 'DCM'
  );
}

/** True for every document the agent wrote. */
export function isByAgent(dataset: Dataset): boolean {
  return texts(dataset, 'SoftwareVersions').some((version) => version.startsWith(AGENT));
}
