"""The shipped bundle on a real chest CT: it runs on all slices and its parts agree. Findings are judged elsewhere."""

import statistics
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import OrderedSeries, Plane, choose_series, read_headers
from pacs_agent.inference import EvidenceMethod, Reader, load_bundle
from pacs_agent.inference.evidence import MAX_WINDOWS, ReadStudy, leave_slices_out
from pacs_agent.inference.read import PLANE_IDS, StudyTokens, read_study
from tests import shipped

pytestmark = pytest.mark.real_images


@pytest.fixture(scope="module", params=shipped.readers(), ids=lambda folder: folder.name)
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    settings = InferenceSettings(provider="cpu", precision="fp32", threads=1)
    return Reader(load_bundle(request.param), settings, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def series(reader: Reader, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> OrderedSeries:
    folder = tmp_path_factory.mktemp("lidc")
    with tarfile.open(shared_data / "ct_dicom" / "LIDC-IDRI-0001_CT.tar.xz", "r:xz") as tar:
        tar.extractall(folder, filter="data")
    chosen = choose_series(read_headers(sorted(folder.rglob("*.dcm"))), reader.bundle.accepts).chosen
    assert chosen is not None
    return chosen


def test_a_real_chest_ct_is_read(reader: Reader, series: OrderedSeries) -> None:
    encoding = reader.encode_missing(series)
    assert (encoding.encoded, len(encoding.keys)) == (133, 133)
    raw = reader.read(series, encoding)
    for method in EvidenceMethod:
        evidence = reader.weigh_evidence(series, encoding, method)
        assert all(0 <= weight <= 1 for row in evidence.weights for weight in row)
    reading = reader.describe(series, encoding, raw, reader.weigh_evidence(series, encoding))
    assert len(reading.findings) == len(reading.sentences) == len(reader.bundle.labels)
    assert all(0 < finding.probability < 1 for finding in reading.findings)
    assert all(len(finding.slice_weights) == 133 for finding in reading.findings)
    assert all(sentence.text.endswith(".") for sentence in (*reading.sentences, *reading.impression))
    for finding in reading.findings:
        for one in finding.evidence:
            at = series.slices[one.index]
            assert one.peak_px is not None
            assert 0 <= one.peak_px[0] < at.rows
            assert 0 <= one.peak_px[1] < at.columns


@pytest.mark.alone
def test_leaving_slices_out_of_a_long_study_costs_as_many_readings_as_it_has_windows(reader: Reader) -> None:
    """400 slices, every finding, one core: not a reading for each slice, and none that costs more than another."""
    tokens = np.random.default_rng(0).normal(size=(400, reader.bundle.manifest.token_width)).astype(np.float32)
    study = StudyTokens(tokens, np.arange(400, dtype=np.float32), PLANE_IDS[Plane.AXIAL])
    graph = reader.sessions.study_reader
    read = ReadStudy(graph, study, read_study(graph, study))
    one_s = statistics.median(_processor_s(lambda: read_study(graph, study)) for _ in range(5))
    assert _processor_s(lambda: leave_slices_out(read)) < 1.5 * MAX_WINDOWS * one_s
    assert leave_slices_out(read).shape == (len(reader.bundle.labels), 400)


def test_batches_do_not_change_the_reading(reader: Reader, series: OrderedSeries, tmp_path: Path) -> None:
    few = series.model_copy(update={"slices": series.slices[60:71]})
    one_by_one = Reader(
        reader.bundle, InferenceSettings(provider="cpu", precision="fp32", threads=1, batch_slices=1), tmp_path
    )
    together = [token.token for token in reader.slice_tokens(few, reader.encode_missing(few))]
    alone = [token.token for token in one_by_one.slice_tokens(few, one_by_one.encode_missing(few))]
    np.testing.assert_allclose(alone, together, atol=1e-4)


def _processor_s(work: Callable[[], object]) -> float:
    """Seconds of this process on all its processors."""
    started = time.process_time()
    work()
    return time.process_time() - started
