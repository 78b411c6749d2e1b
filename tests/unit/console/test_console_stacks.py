"""What a study's page says of its images: one stack a row, each answer with its reason."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from flask.testing import FlaskClient
from people import app_of
from stored_mr import STUDY, T2_TSE, mr_images, prostate, store
from studies_listed import add_studies

from pacs_agent.archive import Archive
from pacs_agent.console.studies import stacks
from pacs_agent.db import AuditEvent, Database, RuleSet
from pacs_agent.imaging import HeaderFile, read_headers
from pacs_agent.route import put_rules
from tests.unit.imaging.ct_acquisitions import scan

PAGE, ANSWER = f"/console/studies/{STUDY}/stacks", f"/api/v1/studies/{STUDY}/stacks"


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path / "archive")


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path).test_client()


def asked(client: FlaskClient, path: str = ANSWER) -> dict[str, Any]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json
    return content


def test_each_stack_is_told_with_what_decided_it(client: FlaskClient, archive: Archive) -> None:
    prostate(archive)
    found = asked(client)
    assert found["images"] == 13
    assert found["left_out"] == []
    told = [(one["weighting"]["value"], one["plane"]["value"], one["b_value"]["value"]) for one in found["stacks"]]
    assert told == [("T2", "axial", None), ("T2", "sagittal", None), ("DWI", "axial", 50.0), ("DWI", "axial", 800.0)]
    first, *_, last = found["stacks"]
    assert (first["slices"], first["gaps_mm"], first["tilt_deg"]) == (4, [3.0, 3.0], 0.0)
    assert "echo time 104 ms" in first["weighting"]["reason"]
    assert "ImageOrientationPatient" in first["plane"]["reason"]
    assert last["b_value"]["reason"] == "DiffusionBValue is 800"
    assert last["phase"] == {
        "number": None,
        "count": None,
        "after_first_s": None,
        "reason": "each place was taken once",
    }


def test_the_page_shows_them_and_the_study_asks_for_them_when_it_is_open(client: FlaskClient, archive: Archive) -> None:
    prostate(archive)
    page = client.get(PAGE).text
    for words in ("Prostate 1", "sagittal", "DWI", ">800<", "echo time 104 ms", "DiffusionBValue is 800"):
        assert words in page
    assert f'hx-get="{PAGE}"' in client.get(f"/console/studies/{STUDY}").text


def test_phases_are_numbered_and_uneven_slices_are_seen(client: FlaskClient, archive: Archive) -> None:
    for series, time in ((1, "100000"), (2, "100030")):
        images = mr_images(series, f"t1_vibe_dyn {series}", (0, 3, 9), AcquisitionTime=time, StudyDate="20260102")
        store(archive, *images)
    phases = [(one["phase"]["number"], one["phase"]["after_first_s"]) for one in asked(client)["stacks"]]
    assert phases == [(1, 0.0), (2, 30.0)]
    page = client.get(PAGE).text
    assert "2 of 2" in page
    assert "3.0–6.0" in page


def test_phases_of_ct_are_shown_with_bolus_and_kernel(client: FlaskClient, archive: Archive) -> None:
    phases = (("Abd nativ", "100000", "B30f"), ("Abd ART", "100500", "B30f"), ("Abd ART lung", "100500", "B70f"))
    for number, (description, time, kernel) in enumerate(phases, 1):
        images = scan(number, time, description, StudyInstanceUID=STUDY, ConvolutionKernel=kernel)
        store(archive, *images)
    found = asked(client)["stacks"]
    assert [(one["phase"]["number"], one["bolus_phase"]["value"], one["kernel"]) for one in found] == [
        (1, "", "B30f"),
        (2, "arterial", "B30f"),
        (2, "arterial", "B70f"),
    ]
    page = client.get(PAGE).text
    for words in ("2 of 2", "<small>arterial</small>", "B70f", "<dt>Bolus</dt>", "in order of time of acquisition"):
        assert words in page


def test_images_that_are_no_slices_and_files_that_are_none_are_left_out_with_the_reason(
    client: FlaskClient, archive: Archive
) -> None:
    [path] = store(archive, *mr_images(1, "t2", (0,), **T2_TSE))
    [placeless] = mr_images(2, "t2", (0,), **T2_TSE)
    del placeless.ImagePositionPatient
    store(archive, placeless)
    path.write_bytes(b"no DICOM")
    found = asked(client)
    assert (found["images"], found["stacks"]) == (2, [])
    reasons = [one["reason"] for one in found["left_out"]]
    assert any("ImagePositionPatient" in reason for reason in reasons)
    assert any("cannot be read" in reason for reason in reasons)
    page = client.get(PAGE).text
    assert "none of the 2 images" in page
    assert "ImagePositionPatient" in page


def test_headers_are_read_once_until_the_study_grows(
    client: FlaskClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    prostate(archive)
    read: list[Path] = []

    def counting(paths: Iterable[Path]) -> list[HeaderFile]:
        read.extend(paths)
        return read_headers(paths)

    monkeypatch.setattr(stacks, "read_headers", counting)
    assert asked(client) == asked(client)
    assert len(read) == 13
    client.get("/console/studies")
    client.get(f"/console/studies/{STUDY}")
    assert len(read) == 13, "neither the list nor the study's page reads headers"
    store(archive, *mr_images(4, "t2 again", (0, 3), **T2_TSE))
    assert len(asked(client)["stacks"]) == 5
    assert len(read) == 13 + 15


def test_the_last_studies_are_remembered_and_no_more(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "KEPT", 2)
    kept = stacks.Stacks(archive.database, archive)
    one, two, three = (stacks.StudyImages(f"1.{number}", ()) for number in (1, 2, 3))
    first, second = kept.of(one), kept.of(two)
    kept.of(three)
    assert kept.of(two) is second
    assert kept.of(one) is not first


def test_studies_of_many_stacks_are_remembered_in_smaller_numbers(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacks, "KEPT_STACKS", 7)
    digests = tuple(path.stem for path in prostate(archive))  # four stacks
    kept = stacks.Stacks(archive.database, archive)
    one, two = (stacks.StudyImages(f"1.{number}", digests) for number in (1, 2))
    first, second = kept.of(one), kept.of(two)
    assert kept.of(two) is second
    assert kept.of(one) is not first


def test_who_asks_again_meanwhile_waits_for_the_same(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    images = stacks.StudyImages(STUDY, tuple(path.stem for path in prostate(archive)))
    grouped: list[int] = []
    both, kept = threading.Barrier(2), stacks.Stacks(archive.database, archive)

    def slowly(*asked: Any) -> Any:
        grouped.append(1)
        sleep(0.3)
        return shown(*asked)

    def ask(_: int) -> Any:
        both.wait(10)
        return kept.of(images)

    shown = stacks.stacks_shown
    monkeypatch.setattr(stacks, "stacks_shown", slowly)
    with ThreadPoolExecutor(2) as people:
        one, other = people.map(ask, range(2))
    assert one is other
    assert len(grouped) == 1


def test_of_a_huge_study_the_first_images_are_looked_at(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "MOST_IMAGES", 3)
    found = stacks.stacks_shown(STUDY, store(archive, *mr_images(1, "t2", (0, 3, 6, 9), **T2_TSE)))
    assert [one.slices for one in found.stacks] == [3]
    assert [(one.reason, one.images) for one in found.left_out] == [
        ("not looked at: the study has more than 3 images", 1)
    ]


def test_a_study_without_images_says_what_to_do(client: FlaskClient, database: Database, archive: Archive) -> None:
    assert client.get(ANSWER).status_code == 404
    [report] = mr_images(1, "a document", (0,))
    report.SOPClassUID, report.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "SR"
    store(archive, report)
    assert asked(client)["images"] == 0
    assert "Send its images" in client.get(PAGE).text


def test_who_looked_is_audited(client: FlaskClient, database: Database, archive: Archive) -> None:
    prostate(archive)
    asked(client)
    with database.reading() as session:
        assert [event.subject for event in session.query(AuditEvent).filter_by(action="study.viewed")] == [STUDY]


def test_a_study_whose_files_are_gone_says_so(client: FlaskClient, database: Database) -> None:
    [uid] = add_studies(database, "Doe^John")
    found = asked(client, f"/api/v1/studies/{uid}/stacks")
    assert "cannot be read" in found["left_out"][0]["reason"]


CORRECTIONS = """rules: []
corrections:
  - name: low b-values are T2
    when: {attribute: DiffusionBValue, equals: 50}
    is: {weighting: T2, contrast: before}
"""


def put(database: Database, text: str) -> None:
    with database.writing() as session:
        put_rules(session, text, actor="test")


def test_corrections_in_force_are_asked_and_shown(client: FlaskClient, database: Database, archive: Archive) -> None:
    prostate(archive)
    assert not any(one["corrected_by"] for one in asked(client)["stacks"])
    put(database, CORRECTIONS)
    [corrected] = [one for one in asked(client)["stacks"] if one["corrected_by"]]
    assert corrected["corrected_by"] == ["low b-values are T2"]
    assert (corrected["weighting"]["value"], corrected["contrast"]["value"]) == ("T2", "before")
    assert corrected["weighting"]["corrected_by"] == "low b-values are T2"
    assert "by itself: DWI" in corrected["weighting"]["reason"]
    assert corrected["plane"]["corrected_by"] == ""
    assert "Corrected by low b-values are T2" in client.get(PAGE).text
    put(database, "rules: []")
    assert not any(one["corrected_by"] for one in asked(client)["stacks"]), "other rules are other answers"


def test_rules_that_cannot_be_read_leave_the_images_as_they_are(
    client: FlaskClient, database: Database, archive: Archive
) -> None:
    prostate(archive)
    with database.writing() as session:
        session.add(RuleSet(text="rules: {", created_by="an older version"))
    found = asked(client)
    assert len(found["stacks"]) == 4
    assert "cannot be read" in found["fault"]
    assert "Corrections are not asked" in client.get(PAGE).text
