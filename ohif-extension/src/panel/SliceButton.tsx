/** What is said of a slice, as a button that leads to it. */
import type { ReactNode } from 'react';
import type { NamedSlice } from '../api/types';

interface Props {
  /** What kind of thing is said, for tests and styles. */
  name: string;
  slice: NamedSlice;
  /** The button in words, where it leads among them. */
  label: string;
  onPress: () => void;
  children: ReactNode;
}

export function SliceButton({ name, slice, label, onPress, children }: Props): React.JSX.Element {
  return (
    <button
      type="button"
      className="pa-region"
      data-pa={name}
      data-sop={slice.sop_instance_uid}
      aria-label={label}
      onClick={onPress}
    >
      {children}
    </button>
  );
}
