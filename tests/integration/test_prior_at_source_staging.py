"""The prior of a staged study at the source: fetched, read whole by the same model, and compared."""

from pathlib import Path

import pytest

from pacs_agent.db import PRIOR_PIPELINE, JobState
from pacs_agent.inference.reading import StudyReading
from pacs_agent.results.uids import derived_uid
from pacs_agent.route import put_rules
from tests.integration.earlier_studies import EarlierPacs, SearchingAgent
from tests.integration.studies_at_work import until
from tests.unit.inference.tiny_staging import pelvis_of_day, write_staging_bundle

pytestmark = pytest.mark.slow

NOW, THEN = "20260102", "20250503"


def test_the_prior_of_all_series_is_fetched_read_and_compared(tmp_path: Path) -> None:
    with EarlierPacs(pelvis_of_day(THEN)) as pacs:
        agent = SearchingAgent(tmp_path)
        write_staging_bundle(agent.settings.inference.bundles_dir / "tiny-staging-1.0")
        agent.destination("pacs", "dimse", pacs.settings)
        with agent.database.writing() as session:
            put_rules(session, "rules: [{name: all, pipeline: staging, destinations: [pacs]}]", actor="test")
        agent.take(pelvis_of_day(NOW, tumour=False))
        with agent:
            job = agent.reading_job()
            until(lambda: len(pacs.stored) == 2)
    assert job.state == JobState.DONE, job.error
    since = StudyReading.model_validate(job.reading).since_prior
    assert since is not None and since.prior is not None and not since.not_compared
    assert since.prior.study_instance_uid == derived_uid(THEN)
    assert {(one.finding, one.change) for one in since.findings} == {("tumour", "gone")}
    assert (pacs.asked[0].PatientID, pacs.asked[0].ModalitiesInStudy) == ("TEST", "MR")
    (prior,) = [one for one in agent.jobs() if one.pipeline == PRIOR_PIPELINE]
    assert len(StudyReading.model_validate(prior.reading).all_series) == 2
    for document in pacs.stored:
        assert derived_uid(THEN) in document.to_json()
