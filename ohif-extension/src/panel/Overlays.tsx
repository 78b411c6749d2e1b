/** Segmentations and parametric maps of the study: each over the image, or off it, by one press. */
import { useSyncExternalStore } from 'react';
import { t } from '../i18n';
import { onOverlays, overlays, toggleOverlay } from '../viewport/overlays';
import { Button } from './Button';

export function Overlays(): React.JSX.Element | null {
  const list = useSyncExternalStore(onOverlays, overlays);
  if (list.length === 0) return null;
  return (
    <section className="pa-section" aria-labelledby="pa-overlays-title" data-pa="overlays">
      <h3 id="pa-overlays-title">{t('panel.overlays')}</h3>
      <div className="pa-message-row">
        {list.map(({ id, kind, label, shown }) => (
          <Button
            key={id}
            aria-pressed={shown}
            data-pa="overlay"
            data-kind={kind}
            onPress={() => void toggleOverlay(id)}
          >
            {t(`panel.overlay_${kind}`, { label })}
          </Button>
        ))}
      </div>
    </section>
  );
}
