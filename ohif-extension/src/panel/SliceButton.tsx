/** What is said of a slice, as a button that leads to it. */
import type { ReactNode } from 'react';
import type { NamedSlice } from '../api/types';
import type { Vector } from '../geometry/vector';
import { showPoint } from '../viewport/point';

interface Props {
  /** What kind of thing is said, for tests and styles. */
  name: string;
  slice: NamedSlice;
  /** What is meant in the slice, in mm in the patient; the other planes go there, too. Null: not known. */
  point_mm: Vector | null;
  /** The button in words, where it leads among them. */
  label: string;
  children: ReactNode;
}

export function SliceButton({ name, slice, point_mm, label, children }: Props): React.JSX.Element {
  return (
    <button
      type="button"
      className="pa-region"
      data-pa={name}
      data-sop={slice.sop_instance_uid}
      aria-label={label}
      onClick={() => void showPoint(slice, point_mm)}
    >
      {children}
    </button>
  );
}
