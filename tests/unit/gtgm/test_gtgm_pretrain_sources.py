import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

torch = pytest.importorskip("torch")

from models.datasets.nifti_pairs import VolumeFault  # noqa: E402
from models.gtgm.pretrain import __main__ as command  # noqa: E402
from models.gtgm.pretrain.preset import GtgmPreset, UnknownGtgmPreset, VolumeData, VolumeFolder, load_gtgm_preset  # noqa: E402
from models.gtgm.pretrain.sources import EM_TILE_VOXELS, EmTiles, MrFolder, NiftiFolder, Phantoms, sources_of  # noqa: E402
from models.gtgm.volume import Modality  # noqa: E402

pytestmark = pytest.mark.train


def nifti(folder, name, shape=(4, 5, 6)):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    image = nibabel.Nifti1Image(values, np.diag([1.0, 2.0, 3.0, 1.0]))
    nibabel.save(image, folder / f"{name}.nii.gz")
    return values


def test_nifti_files_are_read_in_order_with_left_and_right_as_they_are(tmp_path):
    values = nifti(tmp_path, "b")
    nifti(tmp_path, "a")
    source = NiftiFolder(tmp_path, Modality.MR, "T2")
    volume = source.volume(1)
    assert len(source) == 2 and volume.study == "b" and volume.sequence == "T2"
    assert volume.spacing_mm == (3.0, 2.0, 1.0)
    assert np.array_equal(volume.values, values[::-1, ::-1].transpose(2, 1, 0))


def test_em_arrays_are_taken_apart_without_a_rest(tmp_path):
    raw = np.random.default_rng(0).integers(0, 255, (EM_TILE_VOXELS * 2 + 7, EM_TILE_VOXELS + 3, 20), np.uint8)
    np.savez(tmp_path / "em.npz", raw=raw)
    source = EmTiles(tmp_path / "em.npz")
    volumes = [source.volume(index) for index in range(len(source))]
    assert len(volumes) == 2 and sum(v.values.size for v in volumes) == raw.size
    assert volumes[0].modality is Modality.EM and volumes[0].patient != volumes[1].patient


def test_faults_of_folders_say_what_to_do(tmp_path):
    np.savez(tmp_path / "other.npz", image=np.zeros((2, 2, 2)))
    with pytest.raises(VolumeFault, match="raw"):
        len(EmTiles(tmp_path / "other.npz"))
    em = VolumeFolder(kind="dicom", path=tmp_path, modality=Modality.EM)
    with pytest.raises(VolumeFault, match="npz"):
        sources_of(VolumeData(folders=(em,)))
    with pytest.raises(VolumeFault, match="no folder"):
        len(MrFolder(tmp_path / "missing"))


def test_phantoms_come_first_and_depend_on_the_seed():
    sources = sources_of(VolumeData(phantoms=3, first_seed=11))
    assert sources == (Phantoms(3, 11),) and len(sources[0]) == 3
    assert not sources_of(VolumeData())


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(UnknownGtgmPreset, match="cpu-demo, gpu-single, label-efficiency, published"):
        load_gtgm_preset("cpu")


def test_options_change_the_preset(monkeypatch, tmp_path):
    runs = []
    monkeypatch.setattr(command.PretrainingRun, "pretrain", lambda run: runs.append(run))
    monkeypatch.setattr(command, "_say", lambda path: None)
    options = ["--phantoms", "5", "--nifti", str(tmp_path), "--modality", "MR", "--sequence", "T2", "--steps", "2"]
    options += ["--dicom", str(tmp_path), "--dicom-mr", str(tmp_path)]
    result = CliRunner().invoke(command.main, [*options, "--loss", "correlation", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    preset = runs[0].preset
    assert preset.data.phantoms == 5 and preset.training.steps == 2 and preset.loss == "correlation"
    assert preset.data.folders == (
        VolumeFolder(kind="dicom", path=tmp_path, modality=Modality.CT),
        VolumeFolder(kind="dicom", path=tmp_path, modality=Modality.MR),
        VolumeFolder(kind="nifti", path=tmp_path, modality=Modality.MR, sequence="T2"),
    )
    assert preset.views == load_gtgm_preset("cpu-demo").views


def test_a_misspelt_setting_is_refused():
    settings = load_gtgm_preset("cpu-demo").model_dump() | {"temprature": 0.07}
    with pytest.raises(ValidationError, match="temprature"):
        GtgmPreset.model_validate(settings)
