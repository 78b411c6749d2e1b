/** What a reader said of a finding. */
import type { Finding, FindingReview } from '../api/types';
import { t } from '../i18n';
import { Icon } from './Icon';
import { details, presenceWord, reasonWord } from './words';

interface Props {
  review: FindingReview;
  finding: Finding;
  /** Only in the draft so far. */
  unsaved: boolean;
}

/** In words and with a drawing: the model's own words beside it stay as they are. */
export function Handled({ review, finding, unsaved }: Props): React.JSX.Element {
  const rejected = review.action === 'rejected';
  return (
    <span className={`pa-handled pa-handled-${rejected ? 'bad' : 'good'}`} data-pa="handled">
      <Icon name={rejected ? 'reject' : review.action === 'accepted' ? 'accept' : 'edit'} />
      <span>
        {t(`panel.action_${review.action}`)}{' '}
        <i>{[...saidInstead(review, finding), ...(unsaved ? [t('panel.notSaved')] : [])].join(' · ')}</i>
      </span>
    </span>
  );
}

function saidInstead({ reason, edited }: FindingReview, finding: Finding): string[] {
  if (reason !== undefined) return [reasonWord(reason)];
  if (edited === undefined) return [];
  const comment = edited.comment === '' ? [] : [`“${edited.comment}”`];
  return [presenceWord(edited.presence), ...details(edited, finding.grades), ...comment];
}
