/** The heat over the image: on or off, and how strong. */
import { t } from '../i18n';
import { percent } from '../store/derived';
import { store } from '../store/store';
import { keyFor } from '../viewport/keys';
import { Button } from './Button';
import { useSession } from './useSession';

export function Wash(): React.JSX.Element {
  const wash = useSession((session) => session.wash);
  return (
    <div className="pa-wash">
      <Button
        shortcut={keyFor('heat')}
        data-pa="wash"
        aria-pressed={wash.on}
        onPress={() => store.set({ wash: { ...wash, on: !wash.on } })}
      >
        {wash.on ? t('panel.washOn') : t('panel.washOff')}
      </Button>
      <input
        type="range"
        min={0.1}
        max={1}
        step={0.1}
        value={wash.opacity}
        aria-label={t('panel.washOpacity')}
        aria-valuetext={percent(wash.opacity)}
        data-pa="opacity"
        onKeyDown={(event) => event.stopPropagation()}
        onChange={(event) => store.set({ wash: { ...wash, opacity: Number(event.target.value) } })}
      />
      <span className="pa-number pa-soft pa-opacity">{percent(wash.opacity)}</span>
    </div>
  );
}
