/** How much of the panel's bottom the viewer's own notice covers: the buttons stay above it. */
import { useEffect, useState, type RefObject } from 'react';
import { followNotice } from '../ohif/notice';

/** In px. With every new `state` it is looked for again: the viewer may bring its notice after the panel. */
export function useCovered(panel: RefObject<HTMLElement | null>, state: string): number {
  const [covered_px, setCovered] = useState(0);
  useEffect(() => (panel.current ? followNotice(panel.current, setCovered) : undefined), [panel, state]);
  return covered_px;
}
