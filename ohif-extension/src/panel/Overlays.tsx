/** Segmentations and parametric maps of the study: each over the image, or off it, by one press. */
import { useSyncExternalStore } from 'react';
import { t } from '../i18n';
import { onOverlays, overlays, toggleOverlay } from '../viewport/overlays';
import { Button } from './Button';
import { useSession } from './useSession';

export function Overlays(): React.JSX.Element | null {
  const list = useSyncExternalStore(onOverlays, overlays);
  const objects = useSession(({ answer }) => answer?.result?.objects);
  const isOurs = (series: string): boolean =>
    objects?.some((each) => each.kind === 'segmentation' && each.series_instance_uid === series) ?? false;
  if (list.length === 0) return null;
  return (
    <section className="pa-section" aria-labelledby="pa-overlays-title" data-pa="overlays">
      <h3 id="pa-overlays-title">{t('panel.overlays')}</h3>
      <div className="pa-message-row">
        {list.map(({ id, kind, label, series, shown }) => (
          <Button
            key={id}
            aria-pressed={shown}
            data-pa="overlay"
            data-kind={kind}
            onPress={() => void toggleOverlay(id)}
          >
            {isOurs(series) ? t('panel.overlay_ours') : t(`panel.overlay_${kind}`, { label })}
          </Button>
        ))}
      </div>
    </section>
  );
}
