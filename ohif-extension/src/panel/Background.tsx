/** What stands behind a result: the model in its own words, earlier readings, and the objects that were sent. */
import type { Earlier, Model, Result } from '../api/types';
import { dateTime, t } from '../i18n';
import { Fold } from './Fold';

const DIGEST_SHOWN = 12;

export function Background({ result, history }: { result: Result; history: readonly Earlier[] }): React.JSX.Element {
  return (
    <>
      <Fold title={t('panel.modelDetails')} name="model">
        <ModelFacts model={result.model} result={result} />
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
    [t('panel.evidenceMethod'), result.evidence_method ?? t('panel.notSaid')],
    [t('panel.seriesRead'), t('panel.seriesInWords', { name: result.series.description, count: result.series.slices.length })],
    [t('panel.deviceUid'), model.device_uid],
  ];
  return (
    <dl className="pa-fold-body pa-facts">
      {facts.map(([term, fact]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{fact}</dd>
        </div>
      ))}
      <div>
        <dt>{t('panel.digest')}</dt>
        <dd title={model.digest}>{model.digest.slice(0, DIGEST_SHOWN)}…</dd>
      </div>
      {result.objects.map((object) => (
        <div key={object.sop_instance_uid}>
          <dt>{object.kind}</dt>
          <dd>{object.deliveries.map(({ destination, state }) => `${destination}: ${state}`).join(', ') || t('panel.notSent')}</dd>
        </div>
      ))}
    </dl>
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
            {each.job_id === shown ? t('panel.shownNow') : each.superseded ? t('panel.superseded') : each.state}
            {each.reason !== '' && ` · ${each.reason}`}
          </p>
        </li>
      ))}
    </ol>
  );
}
