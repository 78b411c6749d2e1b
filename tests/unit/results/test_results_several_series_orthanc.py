"""What is written of a study of several series, in a real archive: it takes all, and shows the summary as it is."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from pydicom import dcmread
from study_readings import FACTS
from summary_picture import phantom_reading, pixels

from pacs_agent.pipeline.summary import secondary_capture
from pacs_agent.results import compose_ai_result, compose_draft_report, compose_key_objects, write_bytes
from tests.peers import Orthanc

pytestmark = [pytest.mark.peers, pytest.mark.slow]


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[Orthanc]:
    with Orthanc(tmp_path / "pacs") as running:
        yield running


def test_an_archive_takes_all_and_shows_the_summary(pacs: Orthanc, tmp_path: Path) -> None:
    read, evidence = phantom_reading(tmp_path / "images")
    summary = secondary_capture(read, evidence, FACTS).part10
    composed = (compose_ai_result, compose_draft_report)
    documents = [write_bytes(compose(read, evidence, FACTS)) for compose in composed]
    keys = [write_bytes(document) for document in compose_key_objects(read, evidence, FACTS)]
    written = [*documents, *keys, summary]
    pacs.upload([*sorted((tmp_path / "images").glob("*.dcm")), *written])
    uid = read.series.study_instance_uid
    kept = {number: pacs.find(StudyInstanceUID=uid, SeriesNumber=str(number)) for number in (9001, 9002, 9007, 9009)}
    assert {pacs.file(one) for found in kept.values() for one in found} == set(written)
    [shown] = kept[9009]
    answer = requests.get(f"{pacs.url}/instances/{shown}/preview", headers={"Accept": "image/png"}, timeout=60)
    picture = np.asarray(Image.open(BytesIO(answer.content)).convert("RGB"))
    assert np.array_equal(picture, pixels(dcmread(BytesIO(summary))))
