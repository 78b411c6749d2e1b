/** A message in the panel: what is the matter, and what can be done. */
interface Props {
  kind?: 'warning' | 'bad' | 'good';
  /** Said at once by a screen reader. */
  urgent?: boolean;
  name: string;
  children: React.ReactNode;
}

export function Message({ kind, urgent = false, name, children }: Props): React.JSX.Element {
  return (
    <div
      className={kind === undefined ? 'pa-message' : `pa-message pa-message-${kind}`}
      role={urgent ? 'alert' : undefined}
      data-pa={name}
    >
      {children}
    </div>
  );
}
