/** A selected finding: the figures, the slices it rests on, and what the reader says of it. */
import type { Finding, FindingReview, Result } from '../api/types';
import { t } from '../i18n';
import { accept, undo } from '../store/actions';
import { mayReview, percent } from '../store/derived';
import { isAlwaysThere, isStaging } from '../store/staging';
import { keyFor } from '../viewport/keys';
import { evidenceOnWheel, stepEvidence } from '../viewport/walk';
import { Changes } from './Changes';
import { Distances } from './Distances';
import { Measured } from './Measured';
import { announce } from './announce';
import { Button } from './Button';
import { FindingForm } from './FindingForm';
import { Handled } from './Handled';
import { closeForm, openedForm, openForm, type Form } from './form';
import { useObserved } from './observed';
import { RejectReasons } from './RejectReasons';
import { SliceAxes } from './SliceBars';
import { Thumbnails } from './Thumbnails';
import { useSession } from './useSession';
import { Wash } from './Wash';
import { findingName } from './words';

interface Props {
  finding: Finding;
  result: Result;
  review: FindingReview | null;
  unsaved: boolean;
}

export function FindingOpen({ finding, result, review, unsaved }: Props): React.JSX.Element {
  const form = useObserved(openedForm);
  const reviewer = useSession(mayReview);
  return (
    <div className="pa-finding-open">
      {!(isStaging(result) && isAlwaysThere(finding)) && <Figures finding={finding} />}
      <Distances finding={finding} result={result} />
      <Measured finding={finding} result={result} />
      <Changes finding={finding} result={result} />
      <SliceAxes finding={finding} result={result} />
      {finding.evidence.length === 0 ? (
        <p className="pa-soft">{t('panel.noEvidence')}</p>
      ) : (
        <EvidenceParts finding={finding} result={result} />
      )}
      {reviewer && <Answers finding={finding} review={review} form={form} />}
      {review !== null && <Answered finding={finding} review={review} unsaved={unsaved} />}
      {form === 'reject' && <RejectReasons finding={finding} />}
      {form === 'edit' && <FindingForm result={result} finding={finding} review={review} />}
    </div>
  );
}

function Figures({ finding }: { finding: Finding }): React.JSX.Element {
  return (
    <p className="pa-scale">
      <span>
        {t('panel.probability')} <b>{percent(finding.probability)}</b>
      </span>
      {finding.uncertain_from !== null && (
        <span>
          {t('panel.uncertainFrom')} <b>{percent(finding.uncertain_from)}</b>
        </span>
      )}
      <span>
        {t('panel.presentFrom')} <b>{percent(finding.operating_point)}</b>
      </span>
    </p>
  );
}

function EvidenceParts({ finding, result }: { finding: Finding; result: Result }): React.JSX.Element {
  return (
    <>
      <div className="pa-row">
        <Button
          icon="previous"
          shortcut={keyFor('previousEvidence')}
          data-pa="prev"
          aria-label={t('panel.previousSlice')}
          onPress={() => void stepEvidence(-1)}
        />
        <EvidencePlace finding={finding} />
        <Button
          icon="next"
          shortcut={keyFor('nextEvidence')}
          data-pa="next"
          aria-label={t('panel.nextSlice')}
          onPress={() => void stepEvidence(1)}
        />
      </div>
      <Thumbnails finding={finding} result={result} />
      {result.has_heat !== false && <Wash />}
    </>
  );
}

/** "Evidence slice 2 of 5": counted as the buttons step. */
function EvidencePlace({ finding }: { finding: Finding }): React.JSX.Element {
  const slices = evidenceOnWheel(finding);
  const current = useSession((session) => session.current?.sopInstanceUid ?? null);
  const at = slices.findIndex(({ sop_instance_uid }) => sop_instance_uid === current);
  const of = { at: at + 1, count: slices.length };
  return <span className="pa-steps-words">{at < 0 ? t('panel.evidenceCount', of) : t('panel.evidenceAt', of)}</span>;
}

interface AnswersProps {
  finding: Finding;
  review: FindingReview | null;
  form: Form | null;
}

function Answers({ finding, review, form }: AnswersProps): React.JSX.Element {
  const { key } = finding;
  const toggle = (which: Form): void => {
    if (form === which) closeForm();
    else openForm(which);
  };
  const absent = finding.presence === 'absent';
  const editing = absent && !review?.edited ? 'add' : 'edit';
  return (
    <div className="pa-answers" role="group" aria-label={t('panel.answers', { finding: findingName(finding) })}>
      <Button
        icon="accept"
        shortcut={keyFor('accept')}
        data-pa="accept"
        aria-pressed={review?.action === 'accepted'}
        onPress={() => acceptFinding(key)}
      >
        {t('panel.accept')}
      </Button>
      {!absent && (
        <Button
          icon="reject"
          shortcut={keyFor('reject')}
          data-pa="reject"
          aria-pressed={review?.action === 'rejected'}
          aria-expanded={form === 'reject'}
          onPress={() => toggle('reject')}
        >
          {t('panel.reject')}
        </Button>
      )}
      <Button
        icon={editing}
        shortcut={keyFor('edit')}
        data-pa="edit"
        aria-pressed={review?.edited !== undefined}
        aria-expanded={form === editing}
        onPress={() => toggle(editing)}
      >
        {t(editing === 'add' ? 'panel.isThere' : 'panel.edit')}
      </Button>
    </div>
  );
}

/** What was said of the finding, and the way to take it back while it is not saved. */
function Answered({ finding, review, unsaved }: Omit<Props, 'result'> & { review: FindingReview }): React.JSX.Element {
  return (
    <div className="pa-answered">
      <Handled review={review} finding={finding} unsaved={unsaved} />
      {unsaved && (
        <Button icon="undo" shortcut={keyFor('undo')} data-pa="undo" onPress={() => undoFinding(finding)}>
          {t('panel.undo')}
        </Button>
      )}
    </div>
  );
}

function acceptFinding(key: string): void {
  closeForm();
  accept(key);
}

function undoFinding(finding: Finding): void {
  closeForm();
  undo(finding.key);
  announce(t('panel.undone', { finding: findingName(finding) }));
}
