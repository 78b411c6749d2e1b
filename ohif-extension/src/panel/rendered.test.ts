import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { result } from './everyState';
import { dropPictures, picture, renderedAddress, setPictureSource, windowOf } from './rendered';

const at = { study: '1.2', series: '1.3', instance: '1.4', frame: null };
const revoked = vi.fn();
const asked = vi.fn((address: string) =>
  Promise.resolve(
    new Response(address.includes('1.404') ? null : 'jpeg', { status: address.includes('1.404') ? 404 : 200 }),
  ),
);

beforeEach(() => {
  asked.mockClear();
  vi.stubGlobal('fetch', asked);
  URL.createObjectURL = () => `blob:${asked.mock.calls.length}`;
  URL.revokeObjectURL = revoked;
  setPictureSource(() => ({ root: '/dicom-web', headers: {} }));
});
afterEach(async () => {
  dropPictures();
  await new Promise((settled) => setTimeout(settled));
});

describe('windows', () => {
  it('suit the finding', () => {
    const center = (key: string): number => windowOf(result.findings.find((finding) => finding.key === key)!)!.center;
    expect(center('lung_nodule')).toBe(-600);
    expect(center('pleural_effusion')).toBe(40);
    expect(center('lymphadenopathy')).toBe(40);
    expect(center('coronary_artery_wall_calcification')).toBe(300);
  });
});

describe('pictures', () => {
  it('are asked for by study, series, instance and frame', () => {
    const window = { center: 40, width: 400 };
    expect(renderedAddress('/dicom-web', at, window)).toBe(
      '/dicom-web/studies/1.2/series/1.3/instances/1.4/rendered?window=40,400,linear&viewport=256,256',
    );
    expect(renderedAddress('/x', { ...at, frame: 7 }, window)).toContain('/instances/1.4/frames/7/rendered?');
  });

  it('are fetched once, with what the source wants', async () => {
    setPictureSource(() => ({ root: 'https://pacs/wado', headers: { Authorization: 'Bearer t' } }));
    const window = { center: 40, width: 400 };
    expect(await picture(at, window)).toBe(await picture(at, window));
    expect(asked).toHaveBeenCalledTimes(1);
    expect(asked).toHaveBeenCalledWith(
      expect.stringMatching(/^https:\/\/pacs\/wado\/studies/),
      expect.objectContaining({ headers: { Accept: 'image/jpeg', Authorization: 'Bearer t' } }),
    );
  });

  it('come without cookies from an archive that refuses them', async () => {
    asked.mockRejectedValueOnce(new TypeError('Failed to fetch'));
    await picture({ ...at, instance: '1.5' }, { center: 40, width: 400 });
    expect(asked).toHaveBeenLastCalledWith(expect.anything(), expect.objectContaining({ credentials: 'omit' }));
  });

  it('that are not there are asked for again', async () => {
    const missing = { ...at, instance: '1.404' };
    await expect(picture(missing, { center: 40, width: 400 })).rejects.toThrow('404');
    await expect(picture(missing, { center: 40, width: 400 })).rejects.toThrow('404');
    expect(asked).toHaveBeenCalledTimes(2);
  });

  it('are let go of: the oldest when there are many, all at the end', async () => {
    revoked.mockClear();
    for (let one = 0; one < 70; one += 1) await picture({ ...at, instance: `1.${one}` }, { center: 40, width: 400 });
    await Promise.resolve();
    expect(revoked).toHaveBeenCalledTimes(10);
    dropPictures();
    await new Promise((settled) => setTimeout(settled));
    expect(revoked).toHaveBeenCalledTimes(70);
  });
});
