import { act, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import * as viewportOverlays from '../viewport/overlays';
import { eachTestOnItsOwn, part, show } from './rendering.testing';

eachTestOnItsOwn();

it('offers segmentations and maps where there are some, one press each', () => {
  const segmentation = { id: 'a', kind: 'segmentation' as const, label: 'Effusion', shown: true };
  const list = [segmentation, { ...segmentation, id: 'b', kind: 'map' as const, label: 'Evidence', shown: false }];
  vi.spyOn(viewportOverlays, 'overlays').mockReturnValue(list);
  const toggle = vi.spyOn(viewportOverlays, 'toggleOverlay').mockReturnValue(true);
  show('ready');
  expect(screen.getByRole('button', { name: 'Segmentation: Effusion' }).getAttribute('aria-pressed')).toBe('true');
  act(() => screen.getByRole('button', { name: 'Map: Evidence' }).click());
  expect(toggle).toHaveBeenCalledExactlyOnceWith('b');
});

it('takes no room where there are none', () => {
  show('ready');
  expect(() => part('overlays')).toThrow();
});
