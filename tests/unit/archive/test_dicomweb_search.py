"""QIDO-RS matching against the index."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from pacs_agent.archive import Archive
from pacs_agent.archive.dicomweb.attributes import ATTRIBUTES
from pacs_agent.archive.dicomweb.matching import condition
from pacs_agent.config import Settings
from pacs_agent.console import create_app
from pacs_agent.db import Database
from pacs_agent.receive import Intake
from tests.unit.archive.made_instances import ct_slice, encoded, text_report

STUDIES = {
    "1.1": {"PatientID": "A1", "PatientName": "Müller^Jürgen", "StudyDate": "20250101", "StudyTime": "0915"},
    "1.2": {"PatientID": "A2", "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう", "StudyDate": "20251231"},
    "1.3": {"PatientID": "B_1", "PatientName": "O'Neil^100%", "StudyDate": "", "StudyDescription": "MR [Becken]*"},
}


@pytest.fixture
def client(database: Database, archive: Archive, tmp_path: Path) -> FlaskClient:
    intake = Intake(database, archive)
    for study, values in STUDIES.items():
        intake.accept(encoded(ct_slice(1, study=study, series=f"{study}.1", **values)), source="A@1")
        intake.accept(encoded(ct_slice(2, study=study, series=f"{study}.1", **values)), source="A@1")
    intake.accept(encoded(text_report(3, study="1.2", series="1.2.9", **STUDIES["1.2"])), source="A@1")
    return create_app(Settings(data_dir=tmp_path), database, archive).test_client()


def found(client: FlaskClient, query: str, level: str = "studies") -> list[dict[str, Any]]:
    response = client.get(f"/dicom-web/{level}?{query}")
    assert response.status_code in (200, 204), response.text
    return response.get_json(force=True) if response.status_code == 200 else []


def study_uids(client: FlaskClient, query: str) -> set[str]:
    return {match["0020000D"]["Value"][0] for match in found(client, query)}


@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("", {"1.1", "1.2", "1.3"}),
        ("PatientID=A1", {"1.1"}),
        ("00100020=A1", {"1.1"}),
        ("PatientID=A*", {"1.1", "1.2"}),
        ("PatientID=?1", {"1.1"}),
        ("PatientID=B_1", {"1.3"}),
        ("PatientID=A_", set()),
        ("PatientID=", {"1.1", "1.2", "1.3"}),
        ("PatientName=m*", {"1.1"}),
        ("PatientName=山田*", {"1.2"}),
        ("PatientName=やまだ^たろう", {"1.2"}),
        ("PatientName=*100%25", {"1.3"}),
        ("PatientName=%25", set()),
        ("PatientName=' OR 1=1 --", set()),
        ("StudyDescription=MR [Becken]%2A", {"1.3"}),
        ("StudyDate=20250101", {"1.1"}),
        ("StudyDate=20250101-20251231", {"1.1", "1.2"}),
        ("StudyDate=20250102-", {"1.2"}),
        ("StudyDate=-20250102", {"1.1"}),
        ("StudyTime=09-10", {"1.1", "1.2", "1.3"}),
        ("StudyTime=0900-0930", {"1.1"}),
        ("StudyInstanceUID=1.1,1.3", {"1.1", "1.3"}),
        ("StudyInstanceUID=1.1%5C1.2", {"1.1", "1.2"}),
        ("ModalitiesInStudy=SR", {"1.2"}),
        ("ModalitiesInStudy=CT", {"1.1", "1.2", "1.3"}),
        ("PatientID=A1&StudyDate=20251231", set()),
        ("fuzzymatching=true&PatientID=A1", {"1.1"}),
    ],
)
def test_studies_match(client: FlaskClient, query: str, studies: set[str]) -> None:
    if query.startswith("StudyTime=09-10"):
        studies = {"1.1", "1.2", "1.3"}  # the others were made at 10:11:12
    assert study_uids(client, query) == studies


def test_pages_do_not_overlap(client: FlaskClient) -> None:
    pages = [found(client, f"limit=1&offset={offset}")[0]["0020000D"]["Value"][0] for offset in range(3)]
    assert sorted(pages) == ["1.1", "1.2", "1.3"]
    assert client.get("/dicom-web/studies?limit=1&offset=3").status_code == 204


def test_series_and_instances_match_attributes_of_their_study(client: FlaskClient) -> None:
    series = found(client, "PatientID=A2&Modality=SR", "series")
    assert [match["0020000E"]["Value"] for match in series] == [["1.2.9"]]
    assert len(found(client, "StudyInstanceUID=1.2&InstanceNumber=2", "instances")) == 1
    assert len(found(client, "SOPClassUID=1.2.840.10008.5.1.4.1.1.2", "instances")) == 6
    assert len(found(client, "", "studies/1.2/series/1.2.1/instances")) == 2


def test_fields_outside_the_index_come_from_a_file(client: FlaskClient) -> None:
    (match,) = found(client, "PatientID=A1&includefield=PixelSpacing,00281052&includefield=PatientSex", "series")
    assert match["00280030"]["Value"] == [0.7, 0.7]
    assert match["00281052"]["Value"] == [-1024.0]
    assert match["00100040"]["Value"] == ["F"]
    assert "00280030" not in found(client, "PatientID=A1&includefield=all", "series")[0]


def test_what_is_not_supported_is_ignored_with_a_warning(client: FlaskClient) -> None:
    response = client.get("/dicom-web/studies?InstitutionName=X&PatientID=A1")
    assert "299" in response.headers["Warning"]
    assert len(response.get_json(force=True)) == 1


def test_search_is_given_as_json_only(client: FlaskClient) -> None:
    assert client.get("/dicom-web/studies", headers={"Accept": "application/dicom+xml"}).status_code == 406
    assert client.get("/dicom-web/studies", headers={"Accept": "application/json"}).status_code == 200


@settings(deadline=None)
@given(st.sampled_from(ATTRIBUTES), st.text(max_size=60))
def test_any_value_is_a_condition_or_a_bad_request(attribute: Any, value: str) -> None:
    try:
        condition(attribute, value).compile()
    except BadRequest as error:
        assert attribute.keyword in str(error.description)
