/** A button with its drawing, its words and the key that does the same. */
import { Icon, type IconName } from './Icon';

interface Props extends Omit<React.ButtonHTMLAttributes<HTMLButtonElement>, 'onClick' | 'disabled'> {
  icon?: IconName;
  /** The key that does the same, as `viewport/keys` has it. */
  shortcut?: string;
  kind?: 'main' | 'plain' | 'icon';
  /** Shown as off and said to be off, but still to be reached, so that its reason can be read. */
  off?: boolean;
  onPress: () => void;
}

export function Button({ icon, shortcut, kind, off = false, onPress, children, ...rest }: Props): React.JSX.Element {
  return (
    <button
      type="button"
      className={kind === undefined ? 'pa-button' : `pa-button pa-button-${kind}`}
      aria-disabled={off || undefined}
      aria-keyshortcuts={shortcut}
      onClick={onPress}
      {...rest}
    >
      {icon !== undefined && <Icon name={icon} />}
      {children}
      {shortcut !== undefined && (
        <kbd className="pa-key" aria-hidden="true">
          {shortcut.replace('Shift+', '⇧')}
        </kbd>
      )}
    </button>
  );
}
