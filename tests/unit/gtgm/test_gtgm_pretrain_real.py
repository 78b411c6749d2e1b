"""Short runs on the open real images: NIfTI pairs, electron microscopy, MR studies as DICOM files."""

import json
import math
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.datasets.nifti_pairs import NiftiPairs  # noqa: E402
from models.gtgm.finetune.examples import Example  # noqa: E402
from models.gtgm.finetune.fit import FitSettings, fit  # noqa: E402
from models.gtgm.finetune.heads import from_checkpoint  # noqa: E402
from models.gtgm.intensity import standard_values  # noqa: E402
from models.gtgm.networks import load_encoder  # noqa: E402
from models.gtgm.pretrain.network import GtgmNetwork  # noqa: E402
from models.gtgm.pretrain.prepare import prepared_volumes  # noqa: E402
from models.gtgm.pretrain.preset import GtgmPreset  # noqa: E402
from models.gtgm.pretrain.sources import EmTiles, MrFolder, NiftiFolder, VolumeSource  # noqa: E402
from models.gtgm.pretrain.training import PretrainingRun, train  # noqa: E402
from models.gtgm.volume import Modality  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.real_images, pytest.mark.timeout(600)]
STEPS, CUT_AT = 60, 25
SPACING = {Modality.CT: (6.0, 6.0, 6.0), Modality.MR: (3.0, 3.0, 3.0), Modality.EM: (2e-5,) * 3}


def preset(batch: int) -> GtgmPreset:
    return GtgmPreset.model_validate(
        {
            "name": "real",
            "seed": 2,
            "checkpoint_every": 10,
            "embedding_width": 32,
            "encoder": {"channels": (6, 12, 24), "blocks": (1, 1, 1)},
            "text": {"channels": 32, "heads": 4, "layers": 1},
            "queue": {"size": 0},
            "views": {"spacing_mm": SPACING, "crop_voxels": (16, 24, 24), "overlap": 0.5},
            "data": {},
            "training": {"steps": STEPS, "batch": batch, "rate": 5e-3},
        }
    )


def trained(folder: Path, sources: Sequence[VolumeSource], batch: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The encoder of a run that was cut and went on, after it was held to what an unbroken one gives."""
    volumes = prepared_volumes(sources, SPACING, folder / "cache")
    runs = [PretrainingRun(preset(batch), folder / "cache", folder / name) for name in ("whole", "cut")]
    for run in runs:
        run.folder.mkdir(parents=True)
    train(runs[0], volumes)
    losses = losses_in(runs[0].folder / "pretrain.jsonl")
    assert len(losses) == STEPS
    assert_falling(losses)
    forward, steps = GtgmNetwork.forward, iter(range(CUT_AT))

    def until_cut(network: GtgmNetwork, batch: object) -> torch.Tensor:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return forward(network, batch)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(GtgmNetwork, "forward", until_cut)
        train(runs[1], volumes)
    train(runs[1], volumes)
    assert losses_in(runs[1].folder / "pretrain.jsonl") == losses
    whole, again = (load_encoder(run.encoder)[1] for run in runs)
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    return runs[1].encoder


def losses_in(path: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in path.read_text().splitlines()]


def assert_falling(losses: Sequence[float]) -> None:
    assert all(math.isfinite(loss) for loss in losses)
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])


def test_nifti_pairs_are_pretrained_on_and_then_segmented(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
):
    """Pseudo-labels: the masks are another network's."""
    pairs, more = tmp_path / "pairs", tmp_path / "more"
    links = {
        pairs / "images" / "aorta.nii.gz": "totalseg/cta_aorta/ct_cropped.nii.gz",
        pairs / "labels" / "aorta.nii.gz": "totalseg/cta_aorta/aorta.nii.gz",
        pairs / "images" / "pulmonary.nii.gz": "totalseg/cta_pulmonary/ct_cropped.nii.gz",
        pairs / "labels" / "pulmonary.nii.gz": "totalseg/cta_pulmonary/pulmonary_artery.nii.gz",
        more / "abdomen.nii.gz": "totalseg/example_ct.nii.gz",
        more / "chest.nii.gz": "ct_nifti/RIDER-Pilot-0109_CT_chest_contrast_1.25x1.25x5.nii.gz",
    }
    for link, name in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(shared_data / name)
    sources = [NiftiFolder(pairs / "images", Modality.CT), NiftiFolder(more, Modality.CT)]
    encoder = trained(tmp_path, sources, 4, monkeypatch)
    labelled = list(NiftiPairs("arteries", pairs, Modality.CT, ("background", "artery")))
    assert all(volume.labels.any() for volume in labelled)
    settings = FitSettings(steps=40, batch=2, rate=5e-3, patch=(24, 32, 32), checkpoint_every=20)
    torch.manual_seed(0)
    network = from_checkpoint(encoder, load_encoder(encoder)[0], 2)
    fit(network, [Example.of(volume) for volume in labelled], settings, tmp_path / "fine")
    assert_falling(losses_in(tmp_path / "fine" / "finetune.jsonl"))


def test_electron_microscopy_is_pretrained_on(tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch):
    files = sorted((shared_data / "em").glob("*.npz"))
    assert len(files) == 2
    trained(tmp_path, [EmTiles(file) for file in files], 6, monkeypatch)


def test_mr_studies_are_pretrained_on(tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch):
    for path in sorted((shared_data / "mr_dicom").glob("*.tar.xz")):
        with tarfile.open(path, "r:xz") as archive:
            archive.extractall(tmp_path / "mr", filter="data")
    source = MrFolder(tmp_path / "mr")
    volumes = [source.volume(index) for index in range(len(source))]
    names = [volume.sequence for volume in volumes]
    assert names.count("T2") == 6
    assert names.count("ADC") == 2
    assert sum(name.startswith("DWI b") for name in names) >= 4
    assert len({volume.patient for volume in volumes}) == 2
    for volume in volumes:
        found = standard_values(volume)
        assert -0.5 < np.percentile(found, 1.0) < 0.2, volume.sequence
        assert 0.2 < np.percentile(found, 99.0) < 2.0, volume.sequence
    prepared = prepared_volumes([source], SPACING, tmp_path / "cache")
    assert len(prepared) == len(volumes)
    said = " ".join(sentence for one in prepared for text in one.writings for sentence in text).lower()
    assert "prostatex" not in said
    assert all(word in said for word in ("t2", "adc", "dwi"))
    trained(tmp_path, [source], 8, monkeypatch)
