import { describe, expect, it } from 'vitest';
import { KEYS, entryOf, keyFor, type Keystroke } from './keys';

/** What OHIF 3.11.1, 3.12.10, 3.13.2 and 3.14.0-beta.6 bind by default, read from their bundles; all four the same. */
const OHIF =
  'z + - = r l h v c i right left pageup pagedown . , down up home end space esc 1 2 3 4 backspace enter ctrl+z ctrl+y n ] [ e b a'.split(' ');

const stroke = (key: string, change: Partial<Keystroke> = {}): Keystroke => ({
  key,
  shiftKey: false,
  ctrlKey: false,
  altKey: false,
  metaKey: false,
  repeat: false,
  altGraph: false,
  ...change,
});
const actionOf = (key: string, change: Partial<Keystroke> = {}) => entryOf(stroke(key, change))?.action ?? null;

describe('the table', () => {
  it("takes none of OHIF's keys but the two of the brush, and leaves those to a brush in hand", () => {
    const taken = KEYS.filter(({ key, also }) => OHIF.includes(key) || (also !== undefined && OHIF.includes(also)));
    expect(taken.map(({ key }) => key)).toEqual(['[', ']']);
    expect(taken.every(({ yieldsToBrush }) => yieldsToBrush)).toBe(true);
  });

  it('has each key and each action once', () => {
    const keys = KEYS.flatMap(({ key, also }) => (also === undefined ? [key] : [key, also])).map((key) => key.toLowerCase());
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(KEYS.map(({ action }) => action)).size).toBe(KEYS.length);
  });

  it('finds its own entries', () => {
    for (const { key, action } of KEYS) {
      const shift = key.startsWith('Shift+');
      expect(actionOf(shift ? key.slice(6) : key, { shiftKey: shift })).toBe(action);
      expect(keyFor(action)).toBe(key);
    }
  });
});

describe('matching', () => {
  it('tells letters by Shift, not by Caps Lock', () => {
    expect(actionOf('S', { shiftKey: true })).toBe('save');
    expect(actionOf('s', { shiftKey: true })).toBe('save');
    expect(actionOf('S')).toBe('previousEvidence');
    expect(actionOf('w', { shiftKey: true })).toBeNull();
  });

  it('takes characters however the keyboard writes them', () => {
    expect(actionOf('?', { shiftKey: true })).toBe('sheet');
    expect(actionOf('[', { ctrlKey: true, altKey: true, altGraph: true })).toBe('previousEvidence');
  });

  it('leaves shortcuts of browser and system alone', () => {
    expect(actionOf('s', { ctrlKey: true })).toBeNull();
    expect(actionOf('s', { metaKey: true })).toBeNull();
    expect(actionOf('x', { altKey: true })).toBeNull();
  });

  it('goes on while a key of walking is held, and does nothing twice', () => {
    expect(actionOf(']', { repeat: true })).toBe('nextEvidence');
    expect(actionOf('y', { repeat: true })).toBeNull();
  });
});
