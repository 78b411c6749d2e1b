/** Segmentations and parametric maps of the study: each over the image, or off it, by one press. */
import { useSyncExternalStore } from 'react';
import { t } from '../i18n';
import { onOverlays, overlays, toggleOverlay } from '../viewport/overlays';
import { Button } from './Button';

/** How the agent's own segmentations are described (PS3.3 C.7.3.1, Series Description). */
const OURS = /^(Segmentation: )?AI-generated, unverified/;

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
            {OURS.test(label) ? t('panel.overlay_ours') : t(`panel.overlay_${kind}`, { label })}
          </Button>
        ))}
      </div>
    </section>
  );
}
