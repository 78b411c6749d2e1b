"""All pipelines of a worker give way to the jobs of every other: they share turns, places, codecs and headers."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom import Dataset

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.config import Settings
from pacs_agent.db import Database, utc_now
from pacs_agent.pipeline import JobFacts, Shared, Stages, WorkerProcess
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.registry import PIPELINES
from pacs_agent.pipeline.shadow import Shadow
from pacs_agent.pipeline.staging import Staging
from pacs_agent.results import write_bytes
from tests.integration.studies_at_work import AgentFolder
from tests.unit.inference.tiny_bundle import settings_of, write_bundle
from tests.unit.inference.tiny_staging import pelvis, write_staging_bundle


def _stored(archive: Archive, datasets: Sequence[Dataset]) -> tuple[Path, ...]:
    found = []
    for dataset in datasets:
        encoded = split_part10(write_bytes(dataset))
        receipt = archive.store(encoded, instance_header(dataset, encoded.transfer_syntax_uid), source="test")
        found.append(archive.path(receipt.digest))
    return tuple(found)


def test_what_one_pipeline_reads_ahead_gives_way_to_a_job_of_the_other(database: Database, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundles" / "tiny-1.0")
    folder = write_staging_bundle(tmp_path / "bundles" / "tiny-staging-1.0")
    settings = Settings(data_dir=tmp_path / "data", inference=settings_of(folder))
    archive, shared = Archive(database, tmp_path / "data" / "archive"), Shared.of(settings)
    reading, staging = MsVlm(settings, archive, shared), Staging(settings, archive, shared)
    [reader] = reading.readers()
    free = list[bool]()
    job = JobFacts("job", "1.2.3", "", utc_now(), _stored(archive, pelvis()), ())
    earlier = {"select_series": staging.select_series(job).selected}
    staging.encode_missing(job, earlier, lambda _done, _total: free.append(reader.turns.wait_free(0)))
    assert free and not any(free)
    assert reader.turns.wait_free(0)
    assert reading.headers is staging.headers


def test_nobody_gives_way_to_the_shadow_but_rehearsals(database: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    shared = Shared.of(settings)
    assert Shadow(settings, Archive(database, tmp_path / "archive"), shared).jobs is shared.jobs
    assert shared.unhurried.turns is not shared.turns


@pytest.mark.parametrize("pipeline", sorted(PIPELINES))
def test_a_worker_makes_all_its_pipelines_with_the_same(pipeline: str, tmp_path: Path) -> None:
    given = list[Shared]()

    def noting(settings: Settings, archive: Archive, shared: Shared) -> Stages:
        given.append(shared)
        return PIPELINES[pipeline](settings, archive, shared)

    worker = WorkerProcess(AgentFolder(tmp_path).settings, {"other": MsVlm, pipeline: noting, "another": noting})
    try:
        worker._launch_workflows()
    finally:
        worker.stop()
    assert given[0] is given[1]
