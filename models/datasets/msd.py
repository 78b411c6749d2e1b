"""The Medical Segmentation Decathlon: ten tasks, each a folder with `dataset.json`, `imagesTr`, `labelsTr`, `imagesTs`.

Source: Antonelli et al., Nat. Commun. 13:4128 (2022). Brain tumour and prostate files have a fourth axis with one
channel per sequence; each channel is a volume of its own here, since the networks read one sequence at a time.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from models.datasets.nifti_pairs import NiftiArray, VolumeFault, read_labels, read_nifti_array, stem
from models.gtgm.volume import LabelledVolume, Modality, Volume


@dataclass(frozen=True)
class TaskFacts:
    """What a task is of; `sequences` are the channels of its files, in their order, in the words of this project."""

    modality: Modality
    sequences: tuple[str, ...]
    read: int = 0
    """The channel that is segmented unless another is asked for."""


TASKS = {
    "Task01_BrainTumour": TaskFacts(Modality.MR, ("FLAIR", "T1", "T1 contrast", "T2")),
    "Task02_Heart": TaskFacts(Modality.MR, ("MRI",)),
    "Task03_Liver": TaskFacts(Modality.CT, ("CT",)),
    "Task04_Hippocampus": TaskFacts(Modality.MR, ("T1",)),
    "Task05_Prostate": TaskFacts(Modality.MR, ("T2", "ADC")),
    "Task06_Lung": TaskFacts(Modality.CT, ("CT",)),
    "Task07_Pancreas": TaskFacts(Modality.CT, ("CT",)),
    "Task08_HepaticVessel": TaskFacts(Modality.CT, ("CT",)),
    "Task09_Spleen": TaskFacts(Modality.CT, ("CT",)),
    "Task10_Colon": TaskFacts(Modality.CT, ("CT",)),
}
"""The ten tasks by the name of their folder."""


class _Pair(BaseModel):
    image: str
    label: str


def _path_of(entry: Any) -> Any:
    """Some copies of the collection list a test image as `{"image": path}`."""
    return entry.get("image") if isinstance(entry, dict) else entry


class TaskList(BaseModel):
    """`dataset.json`: names of channels and labels by their number, and the files."""

    model_config = ConfigDict(extra="ignore")

    modality: dict[int, str]
    labels: dict[int, str]
    training: list[_Pair]
    test: list[Annotated[str, BeforeValidator(_path_of)]] = Field(default_factory=list)


@dataclass(frozen=True)
class MsdTask:
    """One task's folder. `channel` chooses the sequence of files that have several."""

    folder: Path
    channel: int | None = None

    @property
    def facts(self) -> TaskFacts:
        """The table's row of this task. Raises VolumeFault for a folder of another name."""
        if self.folder.name not in TASKS:
            raise VolumeFault(f"{self.folder}: the folder of a task is called one of {', '.join(TASKS)}")
        return TASKS[self.folder.name]

    @cached_property
    def listed(self) -> TaskList:
        """What `dataset.json` says. Raises VolumeFault when it is missing or says something else than the table."""
        path = self.folder / "dataset.json"
        try:
            listed = TaskList.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise VolumeFault(f"{path} is not there: unpack the task's tar file whole") from error
        except (ValidationError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise VolumeFault(f"{path} does not have the layout of the Decathlon: {error}") from error
        if len(listed.modality) != len(self.facts.sequences):
            raise VolumeFault(f"{path} names {len(listed.modality)} channels, {self.folder.name} has other ones")
        if sorted(listed.labels) != list(range(len(listed.labels))):
            raise VolumeFault(f"{path} numbers its labels {sorted(listed.labels)}; they count up from 0")
        return listed

    @property
    def names(self) -> tuple[str, ...]:
        """Structures in label order, "background" first."""
        return ("background", *(self.listed.labels[number] for number in range(1, len(self.listed.labels))))

    @property
    def read_channel(self) -> int:
        """The channel that is read. Raises VolumeFault for one that the task does not have."""
        channel = self.facts.read if self.channel is None else self.channel
        if not 0 <= channel < len(self.facts.sequences):
            known = ", ".join(f"{number} {name}" for number, name in enumerate(self.facts.sequences))
            raise VolumeFault(f"{self.folder.name} has no channel {channel}; choose one of {known}")
        return channel

    def __len__(self) -> int:
        """Number of labelled volumes."""
        return len(self.listed.training)

    def __iter__(self) -> Iterator[LabelledVolume]:
        """The labelled volumes, one at a time."""
        return (self.volume(index) for index in range(len(self)))

    def volume(self, index: int) -> LabelledVolume:
        """A labelled volume. Each file is of a patient of its own. Raises VolumeFault."""
        pair = self.listed.training[index]
        image = self._channel(self.folder / pair.image)
        labels = read_labels(self.folder / pair.label, image, len(self.names))
        return LabelledVolume(**self._said(image, pair.image), labels=labels, names=self.names)

    def unlabelled(self) -> Iterator[Volume]:
        """The volumes of `imagesTs`, which have no labels: for pretraining."""
        return (Volume(**self._said(self._channel(self.folder / name), name)) for name in self.listed.test)

    def _channel(self, path: Path) -> NiftiArray:
        image, wanted = read_nifti_array(path), len(self.facts.sequences)
        channels = image.voxels if image.voxels.ndim == 4 else image.voxels[None]
        if len(channels) != wanted:
            raise VolumeFault(f"{path} has {len(channels)} channels; files of {self.folder.name} have {wanted}")
        return NiftiArray(channels[self.read_channel], image.spacing_mm)

    def _said(self, image: NiftiArray, name: str) -> dict[str, Any]:
        facts, study = self.facts, stem(Path(name))
        return {
            "values": image.voxels,
            "spacing_mm": image.spacing_mm,
            "modality": facts.modality,
            "sequence": facts.sequences[self.read_channel] if facts.modality == Modality.MR else "",
            "patient": f"{self.folder.name}/{study}",
            "study": study,
            "source": f"MSD {self.folder.name}",
        }
