/** Stands in for the viewport: a slice is on display as soon as it is asked for. */
import type { Evidence, Finding, NamedSlice } from '../src/api/types';
import { evidenceOf, findingOf } from '../src/store/derived';
import { store } from '../src/store/store';

export function jumpTo(sopInstanceUid: string, frame?: number): Promise<boolean> {
  store.set({ current: { sopInstanceUid, frame: frame ?? null } });
  return Promise.resolve(true);
}

export function showPoint(slice: NamedSlice): Promise<boolean> {
  return jumpTo(slice.sop_instance_uid, slice.frame_number ?? undefined);
}

export function showBoth(prior: NamedSlice): Promise<boolean> {
  return showPoint(prior);
}

export function isOpen(): boolean {
  return true;
}

export function stepEvidence(direction: 1 | -1): Promise<boolean> {
  const session = store.get();
  const finding = findingOf(session, session.selected);
  const slices = finding === null ? [] : evidenceOf(finding);
  const at = slices.findIndex(({ sop_instance_uid }) => sop_instance_uid === session.current?.sopInstanceUid);
  const next = slices[at + direction];
  return next === undefined ? Promise.resolve(false) : showPoint(next);
}

export function evidenceOnWheel(finding: Finding): Evidence[] {
  return evidenceOf(finding);
}
