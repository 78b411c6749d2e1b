/** How the mode, a module of its own, learns that the extension is there: a mode that names a missing panel fails. */

const MARK = Symbol.for('pacs-agent-ohif.extension');

export function markPresent(): void {
  Object.assign(globalThis, { [MARK]: true });
}

export function isPresent(): boolean {
  return MARK in globalThis;
}
