"""What the panel is told of a reading of several series: each slice once, where it rests on which, and distances."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from people import app_of
from pydicom import Dataset
from stored_mr import EPI, SAGITTAL, STUDY, T2_TSE, mr_images, store
from studies_read import ANSWER, add_job, answer

from pacs_agent.archive import Archive
from pacs_agent.db import Database, JobState
from pacs_agent.imaging import OrderedSeries, Plane, Slice
from pacs_agent.inference import StudyReading, TokensRead
from pacs_agent.inference.heat import Field, heat_of
from pacs_agent.inference.tokens import TokenCache, slice_token
from tests.staged_reading import staged

STAGING = ANSWER.with_name("staging.json")
"""What the plugin's tests take for a result of several series."""
CORONAL = (1, 0, 0, 0, 0, -1)
ENDS_MM = ((6.0, 7.0, 8.0), (6.0, 7.8, 8.0))
POINT_MM = (6.0, 8.0, 8.0)
RESTS_ON = {"tumour": (0, 1, 4), "location": (1,), "t_stage": (0, 1, 2), "crm": (0,), "sphincter": (2,), "nodes": (0,)}


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path).test_client()


@pytest.fixture
def reading(database: Database, tmp_path: Path) -> StudyReading:
    """The reading of a study whose images are in the archive: T2 in three planes, two b-values in one series, ADC."""
    archive = Archive(database, tmp_path / "archive")
    low, high = (mr_images(3, "ep2d_diff_tra", (0, 4, 8), DiffusionBValue=b, **EPI) for b in (50.0, 800.0))
    adc = mr_images(4, "ep2d_diff_tra_ADC", (0, 4, 8), ImageType=("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), **EPI)
    sagittal = mr_images(2, "t2_tse_sag", (0, 4, 8), ImageOrientationPatient=SAGITTAL, **T2_TSE)
    coronal = mr_images(5, "t2_tse_cor", (0, 4, 8), ImageOrientationPatient=CORONAL, **T2_TSE)
    for number, image in enumerate(coronal):
        image.ImagePositionPatient = [0, 4 * number, 16]
    for image in sagittal:
        image.ImagePositionPatient = [image.ImagePositionPatient[0], 0, 16]
    series = [
        (Plane.AXIAL, mr_images(1, "t2_tse_tra", (0, 4, 8, 12), **T2_TSE)),
        (Plane.SAGITTAL, sagittal),
        (Plane.CORONAL, coronal),
        (Plane.AXIAL, low),
        (Plane.AXIAL, high),
        (Plane.AXIAL, adc),
    ]
    ordered = [_ordered(plane, images, store(archive, *images)) for plane, images in series]
    return staged(ordered, RESTS_ON, POINT_MM, ENDS_MM)


def _ordered(plane: Plane, images: Sequence[Dataset], paths: Sequence[Path]) -> OrderedSeries:
    return OrderedSeries(
        study_instance_uid=STUDY,
        series_instance_uid=str(images[0].SeriesInstanceUID),
        frame_of_reference_uid=f"{STUDY}.0",
        modality="MR",
        plane=plane,
        description=str(images[0].SeriesDescription),
        body_part="PELVIS",
        slices=tuple(_slice(plane, image, path) for image, path in zip(images, paths, strict=True)),
    )


def _slice(plane: Plane, image: Dataset, path: Path) -> Slice:
    position = tuple(float(value) for value in image.ImagePositionPatient)
    axis = {Plane.AXIAL: 2, Plane.SAGITTAL: 0, Plane.CORONAL: 1}[plane]
    return Slice(
        path=Path(path.name),
        sop_instance_uid=str(image.SOPInstanceUID),
        sop_class_uid=str(image.SOPClassUID),
        frame_number=None,
        z_mm=position[axis],
        position_mm=position,
        orientation=tuple(float(value) for value in image.ImageOrientationPatient),
        rows=16,
        columns=16,
        spacing_mm=(1.0, 1.0),
        slope=1.0,
        intercept=0.0,
    )


@pytest.fixture
def told(client: FlaskClient, database: Database, reading: StudyReading) -> dict[str, Any]:
    """The result as it is told."""
    add_job(database, STUDY, JobState.DONE, content=reading.model_dump(mode="json"))
    result: dict[str, Any] = answer(client, STUDY)["result"]
    return result


def test_it_is_what_the_tests_of_the_plugin_take_it_for(told: dict[str, Any]) -> None:
    known = json.loads(STAGING.read_text())
    assert {name: told[name] for name in known} == known
    assert set(told) - set(known) == {"job_id", "run", "created_at", "objects"}


def test_every_series_says_its_plane_and_what_it_shows(told: dict[str, Any]) -> None:
    assert [(one["plane"], one["sequence"], len(one["slices"])) for one in _series(told)] == [
        ("axial", "T2", 4),
        ("sagittal", "T2", 3),
        ("coronal", "T2", 3),
        ("axial", "DWI b50", 3),
        ("axial", "DWI b800", 3),
        ("axial", "ADC", 3),
    ]
    assert {one["modality"] for one in _series(told)} == {"MR"}
    numbers = [one["instance_number"] for each in _series(told) for one in each["slices"]]
    assert numbers[:7] == [1, 2, 3, 4, 1, 2, 3]


def test_weights_and_evidence_count_through_the_slices_of_all_series(told: dict[str, Any]) -> None:
    slices = [(each["series_instance_uid"], one) for each in _series(told) for one in each["slices"]]
    for finding in told["findings"]:
        assert len(finding["slice_weights"]) == len(slices)
        for one in finding["evidence"]:
            series, slice_ = slices[one["index"]]
            assert (one["series_instance_uid"], one["sop_instance_uid"]) == (series, slice_["sop_instance_uid"])
    tumour = next(one for one in told["findings"] if one["key"] == "tumour")
    assert sorted(one["index"] for one in tumour["evidence"]) == [2, 5, 15]


def test_a_distance_names_the_slice_in_which_its_middle_lies(told: dict[str, Any]) -> None:
    (distance,) = told["distances"]
    assert (distance["finding"], distance["value_mm"], distance["ends_mm"]) == ("crm", 0.8, [list(e) for e in ENDS_MM])
    assert told["series"]["slices"][distance["index"]]["z_mm"] == 8.0


def test_a_series_that_is_gone_from_the_archive_is_shown_without_its_sequence(
    client: FlaskClient, database: Database, reading: StudyReading, tmp_path: Path
) -> None:
    gone = reading.further_series[0].slices[1].path
    Archive(database, tmp_path / "archive").path(gone.stem).unlink()
    add_job(database, STUDY, JobState.DONE, content=reading.model_dump(mode="json"))
    shown = _series(answer(client, STUDY)["result"])
    assert [one["sequence"] for one in shown][:3] == ["T2", "", "T2"]


def test_heat_is_had_of_a_slice_of_any_series(
    client: FlaskClient, database: Database, reading: StudyReading, tmp_path: Path
) -> None:
    keys, grid = tuple(f"{index:064x}" for index in range(len(reading.all_slices))), (8, 8)
    read = TokensRead(
        encoder_digest="ef" * 32, keys=keys, token_width=4, patch_grid=grid, field_px=(16, 16), pixel_mm=1.0
    )
    random, tokens = np.random.default_rng(0), []
    cache = TokenCache(tmp_path / "tokens", read.encoder_digest, read.token_width, (len(reading.findings), *grid))
    for key in keys:
        logits = random.normal(0, 4, (len(reading.findings), *grid)).astype(np.float32)
        tokens.append(slice_token(np.zeros(read.token_width, np.float32), logits, np.array([7.5, 7.5], np.float32)))
        cache.store(key, tokens[-1])
    with_tokens = reading.model_copy(update={"tokens": read})
    add_job(database, STUDY, JobState.DONE, content=with_tokens.model_dump(mode="json"))
    assert answer(client, STUDY)["result"]["has_heat"] is True
    for index, one in enumerate(reading.all_slices):
        told = client.get(f"/api/v1/studies/{STUDY}/heat/t_stage/{one.sop_instance_uid}").json
        known = heat_of(tokens[index], 3, one, Field(read.field_px, read.pixel_mm))
        np.testing.assert_allclose(told["values"], known.values, atol=1e-4)
        assert told["peak_mm"] == pytest.approx(known.peak_mm)


def test_it_says_that_it_has_no_heat(client: FlaskClient, told: dict[str, Any]) -> None:
    assert told["has_heat"] is False
    for each in _series(told):
        response = client.get(f"/api/v1/studies/{STUDY}/heat/tumour/{each['slices'][0]['sop_instance_uid']}")
        assert (response.status_code, "there is no heat of this reading" in response.json["error"]) == (404, True)
    unread = client.get(f"/api/v1/studies/{STUDY}/heat/tumour/1.2.3")
    assert (unread.status_code, "was not read" in unread.json["error"]) == (404, True)


def _series(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [result["series"], *result["further_series"]]
