"""The data sets of the comparison: a table from name to what makes it.

A set with many patients gives whole volumes for a share of its labels. A set of one volume is cut into a part to learn
from and a part to test on with a gap between them, and a share of its labels is a share of small blocks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path

import numpy as np

from models.datasets.cremi import read_fib25
from models.datasets.nifti_pairs import read_nifti_array
from models.datasets.real_ct import SHARED_DATA
from models.gtgm.evaluate.budget import Sizes
from models.gtgm.evaluate.code import PELVIS, THORAX
from models.gtgm.evaluate.pelvis import GRID_MM as PELVIS_MM
from models.gtgm.evaluate.pelvis import NAMES as PELVIS_NAMES
from models.gtgm.evaluate.pelvis import PelvisPhantoms, kept_pelvis
from models.gtgm.finetune.blocks import middle_of, quarters, with_block_share
from models.gtgm.finetune.examples import Example
from models.gtgm.finetune.fractions import with_share
from models.gtgm.finetune.heads import Output
from models.gtgm.finetune.kept import kept_example
from models.gtgm.finetune.phantoms import NAMES, phantom_volume
from models.gtgm.intensity import standard_values
from models.gtgm.pretrain.preset import Triple
from models.gtgm.pretrain.sources import Phantoms, VolumeSource
from models.gtgm.volume import Modality, Volume

UNLABELLED_SEED = 5_000_000
TRAINING_SEED, TEST_SEED = 6_000_000, 7_000_000
EM_NM10 = (1e-5, 1e-5, 1e-5)
TOTALSEG_CT = {1: "spleen", 2: "kidney right", 3: "kidney left", 5: "liver", 6: "stomach", 20: "colon", 52: "aorta"}
TOTALSEG_MR = {1: "spleen", 2: "kidney right", 3: "kidney left", 5: "liver", 6: "stomach", 19: "spine", 23: "aorta"}
"""Of the 41 classes of the example CT and the 23 of the example MR some larger ones; the rest counts as background."""
TOTALSEG_MM = (3.0, 3.0, 3.0)


class SetMissing(FileNotFoundError):
    """The files of a data set are not there; says which."""


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """What is learned from and tested on; `said` is printed with the table."""

    name: str
    said: str
    modality: Modality
    names: tuple[str, ...]
    output: Output
    spacing_mm: Triple
    patch: tuple[int, int, int]
    unlabelled: tuple[VolumeSource, ...]
    labelled: Callable[[float, int], list[Example]]
    """Examples of a share of the labels, drawn by a seed; those of a smaller share are among them."""
    test: Callable[[], list[Example]]
    files: tuple[Path, ...] = ()
    code: tuple[str, ...] = ()
    """Files and folders below `models` that make its volumes."""

    def check(self) -> None:
        """Raises SetMissing where a file is not there."""
        for path in self.files:
            if not path.is_file():
                raise SetMissing(f"{path} is not there: the real images belong beside the project")

    @property
    def outputs(self) -> int:
        """Outputs of the network: classes with the background, or affinities along three axes."""
        return 3 if self.output == "affinities" else len(self.names)


@dataclass(frozen=True)
class EmTraining:
    """Cubes of FIB-25 without labels: of the sample that has none, and of the labelled one's part to learn from.

    They are small: their text is to tell of what a crop shows, and many different ones are needed.
    """

    folder: Path
    side_voxels: int = 48
    name: str = "FIB-25"

    def __len__(self) -> int:
        return len(self.places)

    def volume(self, index: int) -> Volume:
        """One cube; each counts as a patient, for all are of one animal."""
        file, first = self.places[index]
        with np.load(self.folder / file) as arrays:
            raw = arrays["raw"]
        cut = tuple(slice(at, at + self.side_voxels) for at in first)
        name = f"{self.name}-{index}"
        return Volume(raw[cut].astype(np.float32), EM_NM10, Modality.EM, "", name, name, self.name)

    @cached_property
    def places(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """File and first voxel of each cube, side by side."""
        extents = ((FIB25[0], (125, 250, 250)), (FIB25[1], (FIB25_CUT[0], 250, 250)))
        side = self.side_voxels
        return tuple(
            (file, first)
            for file, extent in extents
            for first in product(*(range(0, size - side + 1, side) for size in extent))
        )


TOTALSEG_FOLDER = SHARED_DATA / "totalseg"
FIB25 = ("fib25_training_sample1_raw_first125.npz", "fib25_training_sample2_raw_and_instances.npz")
FIB25_CUT = (125, 140)
"""Slices before the first are learned from, slices from the second on are tested: 150 nm lie between them."""


def thorax_phantoms(sizes: Sizes, cache: Path) -> EvaluationSet:
    """Thorax CT phantoms; every phantom is a patient."""
    grid = "x".join(f"{step:g}" for step in sizes.thorax_mm)

    def volume(seed: int) -> Example:
        return kept_example(f"phantom-{seed}-{grid}", partial(phantom_volume, seed, sizes.thorax_mm), cache)

    return EvaluationSet(
        name="thorax phantoms",
        said=f"{sizes.labelled} labelled and {sizes.unlabelled} unlabelled computer-made chest CTs on a grid of "
        f"{grid} mm, {sizes.test} others to test on",
        modality=Modality.CT,
        names=NAMES,
        output="classes",
        spacing_mm=sizes.thorax_mm,
        patch=sizes.thorax_patch,
        unlabelled=(Phantoms(sizes.unlabelled, UNLABELLED_SEED),),
        labelled=partial(_share_of_patients, sizes.labelled, volume),
        test=lambda: [volume(TEST_SEED + number) for number in range(sizes.test)],
        code=THORAX,
    )


def pelvis_phantoms(sizes: Sizes, cache: Path) -> EvaluationSet:
    """Axial T2 series of pelvic MR phantoms; every phantom is a patient."""

    def volume(seed: int) -> Example:
        return kept_pelvis(seed, cache)

    return EvaluationSet(
        name="pelvis MR phantoms",
        said=f"axial T2 series of {sizes.labelled} labelled and {sizes.unlabelled} unlabelled computer-made pelvic MR "
        f"studies on a 3 mm grid, {sizes.test} others to test on",
        modality=Modality.MR,
        names=PELVIS_NAMES,
        output="classes",
        spacing_mm=PELVIS_MM,
        patch=(16, 48, 48),
        unlabelled=(PelvisPhantoms(sizes.unlabelled, UNLABELLED_SEED),),
        labelled=partial(_share_of_patients, sizes.labelled, volume),
        test=lambda: [volume(TEST_SEED + number) for number in range(sizes.test)],
        code=PELVIS,
    )


def _share_of_patients(count: int, volume: Callable[[int], Example], share: float, seed: int) -> list[Example]:
    patients = [_Numbered(str(number), TRAINING_SEED + number) for number in range(count)]
    return [volume(taken.seed) for taken in with_share(patients, share, seed)]


def fib25(sizes: Sizes, cache: Path, folder: Path = SHARED_DATA / "em") -> EvaluationSet:
    """FIB-25: neurons of a fly in electron microscopy, one animal, trained and tested within one volume."""

    def halves() -> tuple[Example, Example]:
        volume = read_fib25(folder / FIB25[1])
        values, ids = standard_values(volume), volume.instances
        before, after = FIB25_CUT
        return Example(values[:before], ids[:before], Modality.EM), Example(values[after:], ids[after:], Modality.EM)

    tested = " × ".join(str(size) for size in sizes.em_test_voxels)
    return EvaluationSet(
        name="FIB-25 EM",
        said="real electron microscopy of one fly, 10 nm; trained on 125 slices of 250 × 250 in blocks of 25³ voxels, "
        f"tested on {tested} voxels of each quarter of 110 other slices of the same volume",
        modality=Modality.EM,
        names=("neuron",),
        output="affinities",
        spacing_mm=EM_NM10,
        patch=sizes.em_patch,
        unlabelled=(EmTraining(folder),),
        labelled=lambda share, seed: [with_block_share(halves()[0], 25, share, seed)],
        test=lambda: [middle_of(quarter, sizes.em_test_voxels) for quarter in quarters(halves()[1])],
        files=tuple(folder / name for name in FIB25),
    )


def totalsegmentator_ct(sizes: Sizes, cache: Path, folder: Path = TOTALSEG_FOLDER) -> EvaluationSet:
    """The TotalSegmentator example CT with that network's masks: pseudo-labels, one patient, within one volume."""
    image, labels = folder / "example_ct_sm.nii.gz", folder / "example_seg.nii.gz"
    halves = partial(_halves, image, labels, tuple(TOTALSEG_CT), Modality.CT)
    return EvaluationSet(
        name="TotalSegmentator CT",
        said="one real abdominal CT of 30 slices on a 3 mm grid with masks of another network (pseudo-labels); trained "
        "on the lower half in blocks of 7³ voxels, tested on four quarters of the upper half; pretrained on "
        f"{sizes.unlabelled} thorax phantoms",
        modality=Modality.CT,
        names=("background", *TOTALSEG_CT.values()),
        output="classes",
        spacing_mm=TOTALSEG_MM,
        patch=(16, 48, 48),
        unlabelled=(Phantoms(sizes.unlabelled, UNLABELLED_SEED),),
        labelled=lambda share, seed: [with_block_share(halves()[0], 7, share, seed)],
        test=lambda: quarters(halves()[1]),
        files=(image, labels),
        code=THORAX,
    )


def totalsegmentator_mr(sizes: Sizes, cache: Path, folder: Path = TOTALSEG_FOLDER) -> EvaluationSet:
    """The TotalSegmentator example MR with that network's masks: pseudo-labels, one patient, within one volume."""
    image, labels = folder / "example_mr_sm.nii.gz", folder / "example_seg_mr.nii.gz"
    halves = partial(_halves, image, labels, tuple(TOTALSEG_MR), Modality.MR)
    return EvaluationSet(
        name="TotalSegmentator MR",
        said="one real abdominal MR of 20 slices on a 3 mm grid with masks of another network (pseudo-labels); trained "
        "on the lower half in blocks of 7³ voxels, tested on four quarters of the upper half; pretrained on "
        f"{sizes.unlabelled} pelvis phantoms",
        modality=Modality.MR,
        names=("background", *TOTALSEG_MR.values()),
        output="classes",
        spacing_mm=TOTALSEG_MM,
        patch=(16, 48, 48),
        unlabelled=(PelvisPhantoms(sizes.unlabelled, UNLABELLED_SEED),),
        labelled=lambda share, seed: [with_block_share(halves()[0], 7, share, seed)],
        test=lambda: quarters(halves()[1]),
        files=(image, labels),
        code=PELVIS,
    )


def _halves(image: Path, labels: Path, wanted: tuple[int, ...], modality: Modality) -> tuple[Example, Example]:
    """The lower and the upper half of a volume without the two slices between them; labels 1, 2, … of those wanted."""
    scan, found = read_nifti_array(image), read_nifti_array(labels).voxels.astype(np.uint8)
    values = standard_values(Volume(scan.voxels, scan.spacing_mm, modality))
    numbers = np.zeros(256, np.uint8)
    numbers[list(wanted)] = range(1, len(wanted) + 1)
    target, middle = numbers[found], len(values) // 2
    return (
        Example(values[: middle - 1], target[: middle - 1], modality),
        Example(values[middle + 1 :], target[middle + 1 :], modality),
    )


SETS: dict[str, Callable[[Sizes, Path], EvaluationSet]] = {
    "fib25": fib25,
    "thorax-phantoms": thorax_phantoms,
    "pelvis-phantoms": pelvis_phantoms,
    "totalsegmentator-ct": totalsegmentator_ct,
    "totalsegmentator-mr": totalsegmentator_mr,
}
"""One line for each data set, in the order in which they are computed."""


@dataclass(frozen=True)
class _Numbered:
    """A patient that is not made yet."""

    patient: str
    seed: int
