/** Where the viewer has its images from, as the panel's small pictures need it. */
import { isFields } from '../api/guards';
import type { PictureSource } from '../panel/rendered';
import type { ExtensionManager } from './types';

/** The agent's own archive on the page's host: what there is where the viewer's data source cannot be asked. */
const OWN_ARCHIVE: PictureSource = { root: '/dicom-web', headers: {} };

/** WADO-RS of the active data source, with the headers it sends now; its token changes with time. */
export function pictureSource(extensions: ExtensionManager): PictureSource {
  const client = wadoClient(extensions.getActiveDataSource?.()[0]);
  if (!isFields(client)) return OWN_ARCHIVE;
  const { wadoURL, baseURL, headers } = client;
  const root = [wadoURL, baseURL].find((url): url is string => typeof url === 'string' && url !== '');
  return root === undefined ? OWN_ARCHIVE : { root: root.replace(/\/+$/, ''), headers: textsOf(headers) };
}

function wadoClient(source: unknown): unknown {
  if (!isFields(source) || !isFields(source['retrieve'])) return null;
  const { getWadoDicomWebClient } = source['retrieve'];
  return typeof getWadoDicomWebClient === 'function' ? (getWadoDicomWebClient as () => unknown)() : null;
}

function textsOf(headers: unknown): Record<string, string> {
  const entries = isFields(headers) ? Object.entries(headers) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
