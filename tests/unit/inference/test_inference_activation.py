"""Which version of a model reads, how that changes, and what the audit trail says of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from tiny_bundle import MakeSeries, settings_of, write_bundle, write_manifest

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.db import AuditEvent, Database, utc_now
from pacs_agent.inference import BundleRefused, NothingToRollBack, activate, bundles_in_use, roll_back, version_key
from pacs_agent.pipeline.errors import JobFailed
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.stages import JobFacts


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """Two versions of one model and another model."""
    for version in ("0.9", "0.10"):
        write_bundle(tmp_path / "bundles" / f"tiny-{version}", version=version)
    write_bundle(tmp_path / "bundles" / "other-1.0", name="other")
    return tmp_path / "bundles"


@pytest.fixture
def settings(bundles: Path, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", inference=settings_of(bundles / "tiny-0.9"))


def in_use(settings: Settings, database: Database) -> list[str]:
    found = bundles_in_use(settings, database).bundles
    return [f"{bundle.manifest.name} {bundle.manifest.version}" for bundle in found]


def trail(database: Database) -> list[tuple[str, str, str]]:
    with database.reading() as session:
        rows = list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))
    return [(row.action, row.outcome, row.subject) for row in rows]


def test_the_newest_reads_until_one_is_activated(settings: Settings, database: Database, bundles: Path) -> None:
    assert in_use(settings, database) == ["other 1.0", "tiny 0.10"]
    activate(bundles / "tiny-0.9", settings, database, actor="tests")
    assert in_use(settings, database) == ["other 1.0", "tiny 0.9"]
    assert [one.manifest.version for one in bundles_in_use(settings, database).beside] == ["0.10"]
    write_bundle(bundles / "tiny-0.11", version="0.11")
    assert in_use(settings, database) == ["other 1.0", "tiny 0.9"]
    assert trail(database) == [("model.activated", "success", "tiny 0.9")]


def test_roll_back_and_forth(settings: Settings, database: Database, bundles: Path) -> None:
    with pytest.raises(NothingToRollBack, match="no earlier version of tiny"):
        roll_back("tiny", settings, database, actor="tests")
    for version in ("0.9", "0.10"):
        activate(bundles / f"tiny-{version}", settings, database, actor="tests")
    assert roll_back("tiny", settings, database, actor="tests").manifest.version == "0.9"
    assert roll_back("tiny", settings, database, actor="tests").manifest.version == "0.10"
    assert in_use(settings, database) == ["other 1.0", "tiny 0.10"]
    assert trail(database)[-1] == ("model.rolled_back", "success", "tiny 0.10")


def test_what_fails_is_not_activated(settings: Settings, database: Database, bundles: Path) -> None:
    write_manifest(bundles / "tiny-0.9", version="0.9", grounding=None)
    with pytest.raises(BundleRefused, match="no grounding test"):
        activate(bundles / "tiny-0.9", settings, database, actor="tests")
    assert in_use(settings, database) == ["other 1.0", "tiny 0.10"]
    assert trail(database) == [("model.refused", "serious-failure", "tiny-0.9")]


def test_what_was_altered_since_is_not_replaced_in_silence(
    settings: Settings, database: Database, bundles: Path
) -> None:
    activate(bundles / "tiny-0.10", settings, database, actor="tests")
    (bundles / "tiny-0.10" / "study_reader.onnx").write_bytes(b"")
    assert in_use(settings, database) == ["other 1.0"]
    refused = [str(refusal) for refusal in bundles_in_use(settings, database).refused]
    assert "altered" in refused[0]
    assert refused[1].startswith("tiny: version 0.10 is activated, but not installed as it was then")


def test_an_earlier_version_that_is_gone(settings: Settings, database: Database, bundles: Path) -> None:
    for version in ("0.9", "0.10"):
        activate(bundles / f"tiny-{version}", settings, database, actor="tests")
    (bundles / "tiny-0.9" / "manifest.json").unlink()
    with pytest.raises(BundleRefused, match="is activated, but not installed"):
        roll_back("tiny", settings, database, actor="tests")
    assert in_use(settings, database) == ["other 1.0", "tiny 0.10"]


def test_a_worker_takes_up_an_activation_and_ends_what_it_began(
    settings: Settings, database: Database, bundles: Path, make_series: MakeSeries, tmp_path: Path
) -> None:
    worker = MsVlm(settings, Archive(database, tmp_path / "archive"))
    (bundles / "other-1.0" / "manifest.json").unlink()
    images = tuple(one.path for one in make_series([0, 100, 200]).slices)
    job = JobFacts("job", "1.2.3", "0" * 64, utc_now(), images, ())
    began = worker.select_series(job)
    assert began.bundle == "tiny 0.10"
    activate(bundles / "tiny-0.9", settings, database, actor="tests")
    assert worker.select_series(job).bundle == "tiny 0.9"
    earlier = {"select_series": began.selected}
    earlier["encode_missing"] = worker.encode_missing(job, earlier, lambda _done, _all: None)
    assert worker.read_study(job, earlier)
    (bundles / "tiny-0.10" / "manifest.sig").unlink()
    later = MsVlm(settings, Archive(database, tmp_path / "archive"))
    with pytest.raises(JobFailed, match="is not installed any more"):
        later.read_study(job, earlier)


def test_a_worker_without_a_model_says_why(
    settings: Settings, database: Database, bundles: Path, make_series: MakeSeries, tmp_path: Path
) -> None:
    for folder in bundles.glob("*-*"):
        (folder / "manifest.sig").write_text("{}")
    worker = MsVlm(settings, Archive(database, tmp_path / "archive"))
    images = tuple(one.path for one in make_series([0, 100]).slices)
    with pytest.raises(JobFailed, match=r"tiny-0.9/manifest.sig: is no signature of a manifest"):
        worker.select_series(JobFacts("job", "1.2.3", "0" * 64, utc_now(), images, ()))


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), max_size=5))
def test_versions_are_ordered_by_their_numbers(numbers: list[tuple[int, int, int]]) -> None:
    names = ["{}.{}.{}".format(*one) for one in numbers]
    assert sorted(names, key=version_key) == ["{}.{}.{}".format(*one) for one in sorted(numbers)]


def test_what_read_by_default_is_rolled_back_to(settings: Settings, database: Database, bundles: Path) -> None:
    activate(bundles / "tiny-0.9", settings, database, actor="tests")
    assert roll_back("tiny", settings, database, actor="tests").manifest.version == "0.10"
