/** A part of the panel that is folded until it is wanted. */
import { Icon } from './Icon';

interface Props {
  title: string;
  /** For tests and styles. */
  name: string;
  children: React.ReactNode;
}

export function Fold({ title, name, children }: Props): React.JSX.Element {
  return (
    <details className="pa-fold" data-pa={`fold-${name}`}>
      <summary>
        <Icon name="next" />
        {title}
      </summary>
      {children}
    </details>
  );
}
