"""CT of several phases is read as several MR series are, by a bundle whose manifest accepts CT."""

import tarfile
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.imaging import HeaderFile, read_headers
from pacs_agent.inference import (
    BundleRefused,
    Presence,
    StagingReader,
    StudyChoice,
    StudyReading,
    choose_stacks,
    load_any,
    verify,
)
from pacs_agent.inference.staging.acquired import PLANES, SEQUENCES, ContrastId, CtId, SequenceId
from pacs_agent.inference.staging.encode import stored_stack
from pacs_agent.inference.staging.scale import intensity_range
from tests.unit.imaging.ct_acquisitions import enhanced_ct, enhanced_frame
from tests.unit.imaging.imaging_slices import headers, saved
from tests.unit.inference import tiny_staging
from tests.unit.inference.tiny_bundle import keys_of, settings_of
from tests.unit.inference.tiny_staging import load, pelvis, write_staging_bundle
from tests.unit.inference.tiny_staging_ct import MANIFEST, PHASES, SLICES, WINDOW_HU, scan, trunk, write_ct_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ct_bundle(tmp_path / "bundles" / "tiny-ct-1.0")


def choice_of(folder: Path, datasets: list[Any]) -> StudyChoice:
    return choose_stacks(headers(datasets), load(folder).manifest)


def test_phases_are_read_together_with_contrast_and_phase_told(folder: Path) -> None:
    choice = choice_of(folder, trunk())
    assert choice.chosen is not None and choice.lacks == ()
    axial = PLANES.index("axial")
    assert [one.acquired.ids for one in choice.chosen.stacks] == [
        (axial, CtId.CT, ContrastId.BEFORE, 1),
        (axial, CtId.CT, ContrastId.AFTER, 2),
        (axial, CtId.CT, ContrastId.AFTER, 3),
    ]
    assert {one.window_hu for one in choice.chosen.stacks} == {WINDOW_HU}
    assert type(choice.chosen).model_validate_json(choice.chosen.model_dump_json()) == choice.chosen


def test_every_phase_gives_evidence(folder: Path, tmp_path: Path) -> None:
    assert verify(folder, settings_of(folder)).passed
    study = choose_stacks(read_headers(saved(trunk(), tmp_path)), load(folder).manifest).chosen
    assert study is not None
    reader = StagingReader(load(folder), settings_of(folder), tmp_path / "tokens")
    encoding = reader.encode_missing(study)
    assert (encoding.encoded, encoding.left_out) == (3 * SLICES, ())
    reading = reader.describe(study, encoding, reader.read(study, encoding), reader.weigh_evidence(study, encoding))
    assert StudyReading.model_validate_json(reading.model_dump_json()) == reading
    assert [(one.modality, one.description) for one in reading.all_series] == [("CT", name) for name in PHASES]
    tumour = reading.finding("tumour")
    assert tumour.presence is Presence.PRESENT and len(tumour.slice_weights) == 3 * SLICES
    weights = np.reshape(tumour.slice_weights, (3, SLICES)).max(axis=1)
    assert weights[0] < 0.5 and weights[1:] == pytest.approx([1.0, 1.0])
    assert {one.index // SLICES for one in tumour.evidence} == {1, 2}
    assert reading.distances == ()


def test_one_reconstruction_of_each_scan_is_read(folder: Path) -> None:
    sharp = scan(5, "Abd pv 5.0 lung", PHASES["Abd pv 5.0"], ConvolutionKernel="B70f")
    thin = scan(6, "Abd pv 2.5", PHASES["Abd pv 5.0"], 2.5)
    too_thin = scan(7, "Abd pv 0.25", PHASES["Abd pv 5.0"], 0.25)
    choice = choice_of(folder, [*trunk(), *sharp, *thin, *too_thin])
    assert choice.chosen is not None
    assert [one.series.description for one in choice.chosen.stacks] == ["Abd nativ 5.0", "Abd art 5.0", "Abd pv 2.5"]
    verdicts = {one.description: one for one in choice.verdicts}
    assert (verdicts["Abd pv 5.0"].chosen, verdicts["Abd pv 5.0"].code) == (False, None)
    assert verdicts["Abd pv 5.0 lung"].reason.startswith("of the same scan series 6 is read, CT axial, after contrast")
    assert verdicts["Abd pv 0.25"].code is not None
    assert choice.chosen.stacks[2].acquired.phase == 3


def test_phases_of_one_series_are_read_as_those_of_several(folder: Path) -> None:
    one = {"SeriesInstanceUID": "1.3.1", "SeriesNumber": 1, "SeriesDescription": "Abdomen"}
    together = [
        dataset
        for number, (name, time) in enumerate(PHASES.items())
        for dataset in scan(number, name, time, AcquisitionNumber=number, **one)
    ]
    choice = choice_of(folder, together)
    assert choice.chosen is not None
    assert [(len(one.series.slices), one.acquired.ids[2:]) for one in choice.chosen.stacks] == [
        (SLICES, (ContrastId.BEFORE, 1)),
        (SLICES, (ContrastId.AFTER, 2)),
        (SLICES, (ContrastId.AFTER, 3)),
    ]


def test_phases_of_an_enhanced_image_are_read_frame_by_frame(folder: Path) -> None:
    phases = (("100000", "PRE_CONTRAST"), ("100500", "ARTERIAL"), ("100540", "PORTAL_VENOUS"))
    frames = [enhanced_frame(5.0 * z, time, phase, "STANDARD") for z in range(SLICES) for time, phase in phases]
    pixels = np.zeros((len(frames), 16, 16), np.int16)
    choice = choice_of(folder, [enhanced_ct(frames, pixels=pixels, BodyPartExamined="ABDOMEN")])
    assert choice.chosen is not None, choice.verdicts
    assert [one.acquired.ids[2:] for one in choice.chosen.stacks] == [
        (ContrastId.BEFORE, 1),
        (ContrastId.AFTER, 2),
        (ContrastId.AFTER, 3),
    ]
    assert [one.frame_number for one in choice.chosen.stacks[1].series.slices] == [2 + 3 * z for z in range(SLICES)]


def test_a_study_without_what_is_required_is_not_read(folder: Path) -> None:
    choice = choice_of(folder, trunk("Abd nativ 5.0"))
    assert choice.chosen is None and "without CT after contrast" in choice.reason
    only = choice_of(folder, trunk("Abd art 5.0"))
    assert only.chosen is not None and only.lacks == ("CT before contrast",)
    assert only.chosen.stacks[0].acquired.ids == (PLANES.index("axial"), CtId.CT, ContrastId.AFTER, 0)


def test_localizers_projections_and_mr_are_not_read(folder: Path) -> None:
    top = scan(8, "Topogram 0.6 T20f", "095900", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    mip = scan(9, "Abd MIP 5.0", PHASES["Abd art 5.0"])
    choice = choice_of(folder, [*trunk(), *top, *mip, *pelvis()])
    assert choice.chosen is not None and [one.series.description for one in choice.chosen.stacks] == list(PHASES)


def test_a_bundle_of_mr_reads_no_ct_and_its_manifest_stays_as_it_was(tmp_path: Path) -> None:
    folder = write_staging_bundle(tmp_path / "bundles" / "tiny-staging-1.0")
    choice = choice_of(folder, [*trunk(), *pelvis()])
    assert choice.chosen is not None
    assert [one.name for one in choice.chosen.stacks] == ["T2 axial", "T2 sagittal"]
    assert load(folder).manifest.window_hu is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"window_hu": None}, "its window_hu is None"),
        ({"window_hu": [250, -150]}, "give HU at 0 and at 1"),
        ({"sequences": SEQUENCES[:-1]}, "not number 9 of its sequences"),
        ({"series": [{"name": "x", "planes": ["axial"], "sequences": ["CT"], "contrasts": ["LATE"]}]}, "no contrast"),
    ],
)
def test_a_manifest_that_accepts_ct_says_how(folder: Path, change: dict[str, Any], fault: str) -> None:
    tiny_staging.write_manifest(folder, **(MANIFEST | change))
    with pytest.raises(BundleRefused, match=fault):
        load_any(folder, keys_of(folder))


def test_the_place_of_ct_moves_none_of_mr() -> None:
    assert SEQUENCES[: len(SequenceId)] == tuple(one.name for one in sorted(SequenceId))
    assert [one.value for one in SequenceId] == list(range(9)) and SEQUENCES[CtId.CT] == "CT"


@given(st.floats(-2000, 3000), st.floats(0.5, 3.0), st.integers(-2048, 0))
def test_the_range_of_ct_is_the_window_whatever_is_in_the_slices(hu: float, slope: float, intercept: int) -> None:
    assert intensity_range(np.full(9, hu), CtId.CT, WINDOW_HU) == WINDOW_HU
    assert intensity_range(np.full(9, 7), SequenceId.T1, WINDOW_HU) == (7.0, 8.0)
    first = STUDY.stacks[0]
    slices = [one.model_copy(update={"slope": slope, "intercept": intercept}) for one in first.series.slices]
    stack = first.model_copy(update={"series": first.series.model_copy(update={"slices": tuple(slices)})})
    seen = stored_stack(stack, np.zeros((SLICES, 2, 2), np.int16))
    assert seen.low * slope + intercept == pytest.approx([WINDOW_HU[0]] * SLICES, abs=0.01)
    assert seen.high * slope + intercept == pytest.approx([WINDOW_HU[1]] * SLICES, abs=0.01)


def _study() -> Any:
    with TemporaryDirectory() as scratch:
        chosen = choose_stacks(headers(trunk()), load(write_ct_bundle(Path(scratch) / "tiny")).manifest).chosen
    assert chosen is not None
    return chosen


STUDY = _study()


@pytest.mark.real_images
def test_a_real_chest_in_three_phases_is_chosen_whole(tmp_path: Path, shared_data: Path) -> None:
    """The one real series copied as three phases; its pixels are the same in all of them."""
    with tarfile.open(shared_data / "ct_dicom" / "LIDC-IDRI-0001_CT.tar.xz", "r:xz") as tar:
        tar.extractall(tmp_path, filter="data")
    images = read_headers(sorted(tmp_path.rglob("*.dcm")))
    phases = (("nativ", "100000", ""), ("arteriell", "100500", "Iodine"), ("venös", "100540", "Iodine"))
    study = [
        _as_phase(one, number, *phase)
        for number, phase in enumerate(phases, 1)
        for one in images
        if one.text("Modality") == "CT"
    ]
    folder = write_ct_bundle(tmp_path / "bundles" / "tiny-ct-1.0", accepts=MANIFEST["accepts"] | CHEST)
    choice = choose_stacks(study, load(folder).manifest)
    assert choice.chosen is not None
    assert [(len(one.series.slices), one.acquired.contrast, one.acquired.phase) for one in choice.chosen.stacks] == [
        (133, ContrastId.BEFORE, 1),
        (133, ContrastId.AFTER, 2),
        (133, ContrastId.AFTER, 3),
    ]


CHEST = {"body_parts": ["CHEST"], "max_slices": 200}


def _as_phase(image: HeaderFile, number: int, description: str, time: str, agent: str) -> HeaderFile:
    dataset = deepcopy(image.dataset)
    dataset.SeriesInstanceUID, dataset.SeriesNumber = f"1.3.6.1.4.1.14519.5.2.1.{number}", number
    dataset.SOPInstanceUID = f"{image.sop_instance_uid}.{number}"
    dataset.SeriesDescription, dataset.ContrastBolusAgent = description, agent
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20000101", time
    return HeaderFile(image.path, dataset)
