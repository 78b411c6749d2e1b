/** What stands behind a result: the model in its own words, earlier readings, and the objects that were sent. */
import type { Earlier, Model, Result, ResultObject, StudyAnswer } from '../api/types';
import { dateTime, t } from '../i18n';
import { seriesRead, type SeriesRead } from '../store/series';
import { Fold } from './Fold';
import { deliveryInWords, evidenceWord, jobWord, kindWord, seriesName } from './words';

export function Background({ answer, result }: { answer: StudyAnswer; result: Result }): React.JSX.Element {
  const { history, review } = answer;
  const objects = [...result.objects, ...(review?.job_id === result.job_id ? review.objects : [])];
  return (
    <>
      <Fold title={t('panel.modelDetails')} name="model">
        <ModelFacts model={result.model} result={result} />
      </Fold>
      <Fold title={t('panel.documents', { count: objects.length })} name="documents">
        <Documents objects={objects} />
      </Fold>
      <Fold title={t('panel.history', { count: history.length })} name="history">
        <History history={history} shown={result.job_id} />
      </Fold>
    </>
  );
}

function ModelFacts({ model, result }: { model: Model; result: Result }): React.JSX.Element {
  const facts: [string, string][] = [
    [t('panel.modelName'), `${model.name} ${model.version}`],
    [t('panel.manufacturer'), model.manufacturer],
    [t('panel.intendedUse'), model.intended_use],
    [t('panel.trainingData'), model.training_data],
    [
      t('panel.evidenceMethod'),
      result.evidence_method === null ? t('panel.notSaid') : evidenceWord(result.evidence_method),
    ],
    [t('panel.seriesRead'), seriesRead(result).map(inWords).join('; ')],
    [t('panel.deviceUid'), model.device_uid],
    [t('panel.digest'), model.digest],
  ];
  return (
    <dl className="pa-fold-body pa-facts">
      {facts.map(([term, fact]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{fact}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What the agent made of this reading and its review, and how far each is on its way to the PACS. */
function inWords({ series }: SeriesRead): string {
  return t('panel.seriesInWords', { name: seriesName(series), count: series.slices.length });
}

function Documents({ objects }: { objects: readonly ResultObject[] }): React.JSX.Element {
  return (
    <ul className="pa-fold-body pa-history">
      {objects.map(({ kind, sop_instance_uid, deliveries }) => (
        <li key={sop_instance_uid} data-pa="document" data-kind={kind}>
          <p>
            <b>{kindWord(kind)}</b> · {deliveries.map(deliveryInWords).join(', ') || t('panel.notSent')}
          </p>
          <p className="pa-soft pa-small pa-uid">{sop_instance_uid}</p>
        </li>
      ))}
    </ul>
  );
}

function History({ history, shown }: { history: readonly Earlier[]; shown: string }): React.JSX.Element {
  if (history.length === 0) return <p className="pa-fold-body pa-soft">{t('panel.noHistory')}</p>;
  return (
    <ol className="pa-fold-body pa-history">
      {history.map((each) => (
        <li key={each.job_id} data-pa="earlier">
          <p>
            <b>{dateTime(each.created_at)}</b> · {each.model || t('panel.noModel')}
          </p>
          <p className="pa-soft">
            {each.job_id === shown
              ? t('panel.shownNow')
              : each.superseded
                ? t('panel.superseded')
                : jobWord(each.state)}
            {each.reason !== '' && ` · ${each.reason}`}
          </p>
        </li>
      ))}
    </ol>
  );
}
