/**
 * Every key of ours, in one table.
 *
 * OHIF binds many letters of its own, and a reader's hands know them: `h` flips, `-` and `=` zoom, `a` and `e` are tools
 * of segmentation. None of them is taken, with one exception: `[` and `]` resize a brush in OHIF, and are left to it
 * while a brush is in hand. `s` and `d` do the same as `[` and `]`, for keyboards on which brackets need AltGr.
 */
import type { TextKey } from '../i18n';

export type KeyAction =
  | 'previousEvidence'
  | 'nextEvidence'
  | 'previousFinding'
  | 'nextFinding'
  | 'accept'
  | 'reject'
  | 'edit'
  | 'undo'
  | 'add'
  | 'heat'
  | 'fainter'
  | 'stronger'
  | 'save'
  | 'verify'
  | 'sheet'
  | 'close';

export interface KeyEntry {
  /** As it is shown and matched: a character, a name of `KeyboardEvent.key`, or `Shift+` and a letter. */
  readonly key: string;
  /** A second key for the same. */
  readonly also?: string;
  readonly action: KeyAction;
  readonly label: TextKey;
  /** Holding the key down goes on. */
  readonly repeats?: true;
  /** OHIF's brush tools have the key while one of them is in hand. */
  readonly yieldsToBrush?: true;
}

export const KEYS: readonly KeyEntry[] = [
  { key: '[', also: 's', action: 'previousEvidence', label: 'viewport.keyPreviousEvidence', repeats: true, yieldsToBrush: true },
  { key: ']', also: 'd', action: 'nextEvidence', label: 'viewport.keyNextEvidence', repeats: true, yieldsToBrush: true },
  { key: 'k', action: 'previousFinding', label: 'viewport.keyPreviousFinding', repeats: true },
  { key: 'j', action: 'nextFinding', label: 'viewport.keyNextFinding', repeats: true },
  { key: 'y', action: 'accept', label: 'viewport.keyAccept' },
  { key: 'x', action: 'reject', label: 'viewport.keyReject' },
  { key: 'm', action: 'edit', label: 'viewport.keyEdit' },
  { key: 'u', action: 'undo', label: 'viewport.keyUndo' },
  { key: 'f', action: 'add', label: 'viewport.keyAdd' },
  { key: 'w', action: 'heat', label: 'viewport.keyHeat' },
  { key: 'o', action: 'fainter', label: 'viewport.keyFainter', repeats: true },
  { key: 'p', action: 'stronger', label: 'viewport.keyStronger', repeats: true },
  { key: 'Shift+S', action: 'save', label: 'viewport.keySave' },
  { key: 'Shift+V', action: 'verify', label: 'viewport.keyVerify' },
  { key: '?', action: 'sheet', label: 'viewport.keySheet' },
  { key: 'Escape', action: 'close', label: 'viewport.keyClose' },
];

/** The key that a button shows for what it does. */
export function keyFor(action: KeyAction): string {
  return KEYS.find((entry) => entry.action === action)?.key ?? '';
}

export type Keystroke = Pick<KeyboardEvent, 'key' | 'shiftKey' | 'ctrlKey' | 'altKey' | 'metaKey' | 'repeat'> & {
  /** AltGr is down: it writes characters, and Windows reports it as Ctrl+Alt. */
  readonly altGraph: boolean;
};

/** What a keystroke stands for; null where it is none of ours. */
export function entryOf(stroke: Keystroke): KeyEntry | null {
  if (!stroke.altGraph && (stroke.ctrlKey || stroke.altKey)) return null;
  if (stroke.metaKey) return null;
  const found = KEYS.find((entry) => isStruck(entry.key, stroke) || (entry.also !== undefined && isStruck(entry.also, stroke)));
  return found !== undefined && (!stroke.repeat || found.repeats) ? found : null;
}

/** Letters are told by Shift and not by their case, which Caps Lock changes; other characters by themselves. */
function isStruck(key: string, stroke: Keystroke): boolean {
  const letter = /^(Shift\+)?([A-Za-z])$/.exec(key);
  if (letter === null) return stroke.key === key;
  const [, shift, character = ''] = letter;
  return stroke.key.toLowerCase() === character.toLowerCase() && stroke.shiftKey === (shift !== undefined);
}
