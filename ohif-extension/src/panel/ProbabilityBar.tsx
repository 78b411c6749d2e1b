/** A probability beside the values that give it its meaning: where "uncertain" begins and where "present" does. */
import type { Finding } from '../api/types';
import { t } from '../i18n';
import { percent } from '../store/derived';

type Scored = Pick<Finding, 'probability' | 'operating_point' | 'uncertain_from' | 'presence'>;

const along = (share: number): string => `${Math.min(1, Math.max(0, share)) * 100}%`;

/** What the bar shows, in words. */
export function probabilityInWords(finding: Scored): string {
  const point = t('panel.pointInWords', { point: percent(finding.operating_point) });
  const from =
    finding.uncertain_from === null ? [] : [t('panel.uncertainInWords', { from: percent(finding.uncertain_from) })];
  return [t('panel.probabilityInWords', { probability: percent(finding.probability) }), ...from, point].join(', ');
}

export function ProbabilityBar({ finding }: { finding: Scored }): React.JSX.Element {
  const { operating_point: point, uncertain_from: from } = finding;
  return (
    <span className="pa-bar" role="img" aria-label={probabilityInWords(finding)}>
      {from !== null && from < point && (
        <span className="pa-bar-band" style={{ left: along(from), width: along(point - from) }} />
      )}
      <span className={`pa-bar-fill pa-${finding.presence}`} style={{ width: along(finding.probability) }} />
      <span className="pa-bar-tick" style={{ left: along(point) }} />
    </span>
  );
}
