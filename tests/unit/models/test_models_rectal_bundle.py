"""A bundle that training writes is one that the agent loads, verifies and runs, and both say the same of a study."""

import tarfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from models.msvlm.rectal.described import KEYS  # noqa: E402
from models.msvlm.rectal.export import Learned, write_series_bundle  # noqa: E402
from models.msvlm.rectal.network import new_series_network  # noqa: E402
from models.msvlm.rectal.preset import PRESETS, load_series_preset  # noqa: E402
from models.msvlm.rectal.runtime import SeriesRuntime  # noqa: E402
from models.msvlm.rectal.stored import encoded, stored_study  # noqa: E402
from models.msvlm.rectal.studies import pad  # noqa: E402
from models.msvlm.sign import release, trust  # noqa: E402
from models.phantoms.pelvis import generate_pelvis  # noqa: E402
from models.phantoms.pelvis.dicom import write_study  # noqa: E402
from pacs_agent.config import InferenceSettings  # noqa: E402
from pacs_agent.imaging import HeaderFile, read_headers  # noqa: E402
from pacs_agent.inference import (  # noqa: E402
    EvidenceMethod,
    StagingBundle,
    StagingReader,
    StudyReading,
    choose_stacks,
    load_any,
    verify,
)
from pacs_agent.inference.staging.describe import said_items  # noqa: E402
from pacs_agent.results import DocumentFacts, compose_ai_result, write_bytes  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> InferenceSettings:
    """Of an agent with one bundle, untrained, but signed."""
    folder = tmp_path_factory.mktemp("rectal")
    torch.manual_seed(3)
    network = new_series_network(load_series_preset(PRESETS / "rectal-mr-tiny")).eval()
    for parameter in (network.reader.last.weight, *(table.weight for table in network.reader.tables)):
        torch.nn.init.normal_(parameter, std=0.5)
    key = Ed25519PrivateKey.generate()
    release(write_series_bundle(network, "tiny", folder / "bundles", Learned()), key)
    trust(key, "tests", folder / "keys")
    return InferenceSettings(provider="cpu", bundles_dir=folder / "bundles", trusted_keys=folder / "keys")


@pytest.fixture(scope="module")
def bundle(settings: InferenceSettings) -> StagingBundle:
    (folder,) = settings.bundles_dir.iterdir()
    loaded = load_any(folder, settings.trusted_keys)
    assert isinstance(loaded, StagingBundle)
    return loaded


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> list[HeaderFile]:
    phantom = generate_pelvis(9, t_stage=3, fineness=0.25, voxel_mm=3.0)
    return read_headers(write_study(phantom, tmp_path_factory.mktemp("pelvis")))


def test_it_is_verified_with_its_own_test(bundle: StagingBundle, settings: InferenceSettings) -> None:
    checked = verify(bundle.folder, settings)
    assert checked.passed, checked.faults
    keys = ["tumour", "location", "peritoneum", "t_stage", "crm", "sphincter", "nodes", "emvi"]
    assert [item.key for item in bundle.manifest.items] == list(KEYS.values()) == keys


def test_every_level_has_a_wording_or_the_plain_one(bundle: StagingBundle) -> None:
    for item in bundle.manifest.items:
        assert len(item.sentences) == len(item.levels)
        assert all(text.endswith(".") for texts in item.sentences for text in texts)


def test_agent_and_training_say_the_same(
    bundle: StagingBundle, settings: InferenceSettings, headers: list[HeaderFile], tmp_path: Path
) -> None:
    runtime = SeriesRuntime.open(bundle.folder, threads=1)
    series, _ = stored_study(headers)
    study = encoded(runtime, "phantom", series)
    by_training = runtime.read(pad([study]).inputs)
    reader = StagingReader(bundle, settings, tmp_path)
    chosen = choose_stacks(headers, bundle.manifest).chosen
    assert chosen is not None and sorted(one.name for one in chosen.stacks) == sorted(one.key for one in series)
    encoding = reader.encode_missing(chosen)
    raw = reader.read(chosen, encoding)
    said = {one.entry.key: one for one in said_items(bundle.manifest, raw.step_logits)}
    for item, levels in by_training.levels.items():
        if KEYS[item] in said:
            assert said[KEYS[item]].levels == pytest.approx(levels.tolist(), abs=1e-4)
    reading = reader.describe(chosen, encoding, raw, reader.weigh_evidence(chosen, encoding))
    assert reading.evidence_method is EvidenceMethod.ATTENTION
    _is_whole(reading)
    margin = [one.value_mm for one in reading.distances if one.finding == "crm"]
    if margin:
        assert margin[0] == pytest.approx(study.measured_mm, abs=0.05)


@pytest.mark.real_images
@pytest.mark.parametrize("patient", ["ProstateX-0000", "ProstateX-0001"])
def test_a_real_study_is_read_with_all_its_series(
    bundle: StagingBundle, settings: InferenceSettings, shared_data: Path, tmp_path: Path, patient: str
) -> None:
    with tarfile.open(shared_data / "mr_dicom" / f"{patient}_MR.tar.xz", "r:xz") as tar:
        tar.extractall(tmp_path, filter="data")
    images = read_headers(sorted(tmp_path.rglob("*.dcm")))
    choice = choose_stacks(images, bundle.manifest)
    assert choice.chosen is not None and all(verdict.chosen for verdict in choice.verdicts)
    assert choice.chosen.stacks[0].name.startswith("T2 axial")
    assert (len(choice.chosen.stacks), len(choice.chosen.slices)) == (9, 164)
    reader = StagingReader(bundle, settings, tmp_path / "tokens")
    encoding = reader.encode_missing(choice.chosen)
    raw, weights = reader.read(choice.chosen, encoding), reader.weigh_evidence(choice.chosen, encoding)
    reading = reader.describe(choice.chosen, encoding, raw, weights)
    _is_whole(reading)
    facts = DocumentFacts(datetime(2026, 1, 2, tzinfo=UTC), "0" * 64, ())
    result = compose_ai_result(reading, [one.dataset for one in images], facts)
    assert write_bytes(result)


def _is_whole(reading: StudyReading) -> None:
    assert len(reading.all_series) > 5
    assert StudyReading.model_validate_json(reading.model_dump_json()) == reading
    for finding in reading.findings:
        assert len(finding.slice_weights) == len(reading.all_slices)
        assert np.max(finding.slice_weights) == pytest.approx(1.0)
        for one in finding.evidence:
            assert reading.all_slices[one.index].sop_instance_uid == one.sop_instance_uid
