import { describe, expect, it } from 'vitest';
import { pictureSource } from './picture-source';
import type { ExtensionManager } from './types';

const extensions = (source: unknown): ExtensionManager => ({
  getModuleEntry: () => null,
  getActiveDataSource: () => [source],
});
const withClient = (client: unknown): ExtensionManager =>
  extensions({ retrieve: { getWadoDicomWebClient: () => client } });

describe('the source of pictures', () => {
  it('is where the viewer has its images from, with its headers', () => {
    const source = pictureSource(
      withClient({ wadoURL: 'https://pacs/wado/', headers: { Authorization: 'Bearer t', odd: 7 } }),
    );
    expect(source).toEqual({ root: 'https://pacs/wado', headers: { Authorization: 'Bearer t' } });
  });

  it.each([
    extensions(undefined),
    extensions({}),
    extensions({ retrieve: {} }),
    withClient(null),
    withClient({ wadoURL: '' }),
  ])('is the own archive where the viewer cannot be asked', (viewer) =>
    expect(pictureSource(viewer)).toEqual({ root: '/dicom-web', headers: {} }),
  );
});
