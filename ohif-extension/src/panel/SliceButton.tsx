/** What is said of a slice, as a button that leads to it. */
import type { ReactNode } from 'react';
import { jumpTo } from '../viewport/navigate';

interface Props {
  /** What kind of thing is said, for tests and styles. */
  name: string;
  slice: { sop_instance_uid: string; frame_number?: number | null };
  /** The button in words, where it leads among them. */
  label: string;
  children: ReactNode;
}

export function SliceButton({ name, slice, label, children }: Props): React.JSX.Element {
  return (
    <button
      type="button"
      className="pa-region"
      data-pa={name}
      data-sop={slice.sop_instance_uid}
      aria-label={label}
      onClick={() => void jumpTo(slice.sop_instance_uid, slice.frame_number ?? undefined)}
    >
      {children}
    </button>
  );
}
