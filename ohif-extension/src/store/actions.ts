/** Everything the panel and the viewport can do to the session. */
import type { Edited, Heat } from '../api/types';

/** Opens a study: asks the agent, then listens for changes. Opening another closes the one before. */
export function openStudy(study: string): void {
  void study;
}

/** Ends every request, stream and timer of the open study. */
export function closeStudy(): void {
  return;
}

export function select(key: string | null): void {
  void key;
}

export function accept(key: string): void {
  void key;
}

export function reject(key: string, reason: string): void {
  void [key, reason];
}

export function edit(key: string, edited: Edited): void {
  void [key, edited];
}

/** Takes back what was not saved of a finding. */
export function undo(key: string): void {
  void key;
}

/** Adds a finding the model missed, on the slice in the active viewport. */
export function addFinding(key: string, edited: Edited, point?: [number, number]): void {
  void [key, edited, point];
}

/** The edited report; null goes back to the draft. */
export function setText(text: string | null): void {
  void text;
}

/** Saves what was handled; `verify` makes it the verified report. Resolves to whether it was saved. */
export function save(verify: boolean): Promise<boolean> {
  void verify;
  return Promise.resolve(false);
}

/** Asks the agent again, at once. */
export function reload(): Promise<void> {
  return Promise.resolve();
}

/** The heat of a finding over one slice, kept for the next time; null where there is none. */
export function heat(finding: string, sopInstanceUid: string, frame: number | null): Promise<Heat | null> {
  void [finding, sopInstanceUid, frame];
  return Promise.resolve(null);
}

/** Takes the draft of an older result over to this one, or throws it away. */
export function takeOffered(take: boolean): void {
  void take;
}
