/**
 * Our SRs as OHIF's display sets. Without this, the viewer would offer to load each slice's weight as a measurement.
 *
 * Returning no display set for an instance leaves it to the handlers that come after.
 */
import { SR_HANDLER_ID, SR_HANDLER_NAME } from '../id';
import { guarded } from '../ohif/guarded';
import type { DisplaySet } from '../ohif/types';
import { text, type Dataset } from './dataset';
import { isOurs, MEASUREMENT_SRS } from './ours';

export interface SopClassHandler {
  name: string;
  sopClassUids: string[];
  getDisplaySetsFromSeries(instances: Dataset[]): DisplaySet[];
}

export function sopClassHandlerModule(): SopClassHandler[] {
  return [
    {
      name: SR_HANDLER_NAME,
      sopClassUids: MEASUREMENT_SRS,
      getDisplaySetsFromSeries: (instances) =>
        guarded('read an SR', () => instances.filter(isOurs).map(displaySet), []),
    },
  ];
}

/** A display set of one SR, which no viewport can show and no thumbnail stands for. */
function displaySet(instance: Dataset): DisplaySet {
  const sopInstanceUid = text(instance, 'SOPInstanceUID');
  return {
    displaySetInstanceUID: `pacs-agent-${sopInstanceUid}`,
    SOPClassHandlerId: SR_HANDLER_ID,
    SOPClassUID: text(instance, 'SOPClassUID'),
    SOPInstanceUID: sopInstanceUid,
    StudyInstanceUID: text(instance, 'StudyInstanceUID'),
    SeriesInstanceUID: text(instance, 'SeriesInstanceUID'),
    SeriesDescription: text(instance, 'SeriesDescription'),
    SeriesNumber: text(instance, 'SeriesNumber'),
    Modality: 'SR',
    instance,
    instances: [instance],
    numImageFrames: 0,
    isReconstructable: false,
    excludeFromThumbnailBrowser: true,
    unsupported: true,
  };
}
