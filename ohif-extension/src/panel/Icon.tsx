/** Small line drawings. They stand beside words or inside a labelled button, so they are hidden from screen readers. */
import type { Presence } from '../api/types';

const PATHS = {
  accept: 'M3 8.5l3.2 3.2L13 5',
  reject: 'M4 4l8 8M12 4l-8 8',
  edit: 'M3 13l.6-2.6L10.8 3.2l2 2-7.2 7.2zM9.4 4.6l2 2',
  undo: 'M6 3L3 6l3 3M3 6h6.5a3.5 3.5 0 010 7H6',
  add: 'M8 3v10M3 8h10',
  previous: 'M10 3L5 8l5 5',
  next: 'M6 3l5 5-5 5',
  copy: 'M5.5 5.5h7v7h-7zM3.5 10.5h-1v-8h8v1',
  turn: 'M13 8a5 5 0 11-2-4',
  wait: 'M8 8m-4.5 0a4.5 4.5 0 109 0 4.5 4.5 0 10-9 0',
  warn: 'M8 2.5l6 10.5H2zM8 6.5v3M8 11.3v.2',
  seal: 'M8 1.8l5 2v4c0 3-2 5.2-5 6.4-3-1.2-5-3.4-5-6.4v-4zM5.7 8l1.7 1.7 3-3.2',
  linked: 'M3 8a5 5 0 0110 0M5.2 8.6a2.8 2.8 0 015.6 0M8 11v.3',
  parted: 'M3 8a5 5 0 0110 0M8 11v.3M2.5 2.5l11 11',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, turning = false }: { name: IconName; turning?: boolean }): React.JSX.Element {
  return (
    <svg className={turning ? 'pa-icon pa-spin' : 'pa-icon'} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Full circle: present; half: uncertain; ring: absent. The form tells them apart where the colour does not. */
export function PresenceGlyph({ presence }: { presence: Presence }): React.JSX.Element {
  return (
    <svg className={`pa-glyph pa-${presence}`} viewBox="0 0 12 12" aria-hidden="true" focusable="false">
      <circle
        cx="6"
        cy="6"
        r="4.75"
        fill={presence === 'present' ? 'currentColor' : 'none'}
        stroke="currentColor"
        strokeWidth="1.5"
      />
      {presence === 'uncertain' && <path d="M6 1.25a4.75 4.75 0 000 9.5z" fill="currentColor" />}
    </svg>
  );
}
