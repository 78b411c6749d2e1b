import { act, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import * as viewportOverlays from '../viewport/overlays';
import { result, STATES } from './everyState';
import { eachTestOnItsOwn, part, show } from './rendering.testing';

eachTestOnItsOwn();

it('offers segmentations and maps where there are some, one press each', () => {
  const segmentation = { id: 'a', kind: 'segmentation' as const, label: 'Effusion', series: '1.2.1', shown: true };
  const list = [segmentation, { ...segmentation, id: 'b', kind: 'map' as const, label: 'Evidence', shown: false }];
  vi.spyOn(viewportOverlays, 'overlays').mockReturnValue(list);
  const toggle = vi.spyOn(viewportOverlays, 'toggleOverlay').mockReturnValue(true);
  show('ready');
  expect(screen.getByRole('button', { name: 'Segmentation: Effusion' }).getAttribute('aria-pressed')).toBe('true');
  act(() => screen.getByRole('button', { name: 'Map: Evidence' }).click());
  expect(toggle).toHaveBeenCalledExactlyOnceWith('b');
});

it('knows the segmentation of the result on display by its series, however it is described', () => {
  const ours = { id: 'a', kind: 'segmentation' as const, label: 'Liver', series: '1.2.1', shown: false };
  const earlier = { ...ours, id: 'b', label: 'AI-generated, unverified', series: '1.2.2' };
  vi.spyOn(viewportOverlays, 'overlays').mockReturnValue([ours, earlier]);
  const { answer } = STATES.ready;
  const object = { sop_class_uid: '1', sop_instance_uid: '1.2.1.1', series_instance_uid: '1.2.1', deliveries: [] };
  const objects = [...result.objects, { ...object, kind: 'segmentation' }];
  show('ready', { answer: answer && { ...answer, result: { ...result, objects } } });
  expect(screen.getByRole('button', { name: 'AI segmentation' })).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Segmentation: AI-generated, unverified' })).toBeTruthy();
});

it('takes no room where there are none', () => {
  show('ready');
  expect(() => part('overlays')).toThrow();
});
