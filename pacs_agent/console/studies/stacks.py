"""What the images of a study are, by their stored headers: its stacks, each answer with the attribute that decided it.

Headers are read when somebody asks, never for a list; what was found is kept until the study grows.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import IMAGE_SOP_CLASSES, Archive
from pacs_agent.console.studies.models import ImagesLeftOut, NumberTold, PhaseTold, StackShown, StudyStacks, Told
from pacs_agent.db import Database, Instance, Origin, Series, Study
from pacs_agent.imaging import (
    Answer,
    BolusPhase,
    Corrections,
    HeaderFile,
    LeftOut,
    Stack,
    UnusableSlice,
    group_study,
    no_corrections,
    read_headers,
    without_large_private_values,
)
from pacs_agent.route import RuleBook, WrongRules, rules_in_force, rules_version

KEPT = 64
"""Studies whose stacks are remembered, some 20 kB each."""
KEPT_STACKS = 5000
"""Stacks of all of them, some 5 kB each: a study may have as many as images."""
MOST_IMAGES = 10_000
"""Headers that are read while somebody waits: some ten seconds."""


@dataclass(frozen=True)
class StudyImages:
    """The images received of a study, by the digests of their files, sorted."""

    study_instance_uid: str
    digests: tuple[str, ...]
    rules: int = 0
    """The version in force: its corrections are asked."""


def images_of(session: Session, study_instance_uid: str) -> StudyImages | None:
    """The images of a study; None when no instance of it was ever received."""
    pk = session.scalar(select(Study.id).where(Study.study_instance_uid == study_instance_uid))
    if pk is None:
        return None
    received = select(Instance.digest).join(Instance.series).where(Series.study_pk == pk)
    images = received.where(Instance.origin == Origin.RECEIVED, Instance.sop_class_uid.in_(IMAGE_SOP_CLASSES))
    return StudyImages(study_instance_uid, tuple(sorted(session.scalars(images))), rules_version(session))


class Stacks:
    """Stacks of studies, the last ones kept. Safe to use from threads.

    One study is grouped at a time: who asks again while that takes long is given the same, and costs nothing more.
    """

    def __init__(self, database: Database, archive: Archive) -> None:
        self._database = database
        self._archive = archive
        self._kept: OrderedDict[StudyImages, StudyStacks] = OrderedDict()
        self._lock = threading.Lock()
        self._grouping = threading.Lock()

    def of(self, images: StudyImages) -> StudyStacks:
        """The stacks of these images."""
        if (known := self._known(images)) is not None:
            return known
        with self._grouping:
            if (known := self._known(images)) is not None:
                return known
            paths = [self._archive.path(digest) for digest in images.digests]
            book, fault = self._rules()
            found = stacks_shown(images.study_instance_uid, paths, book.corrector())
            found.fault = fault
            self._keep(images, found)
        return found

    def _known(self, images: StudyImages) -> StudyStacks | None:
        with self._lock:
            if (known := self._kept.get(images)) is not None:
                self._kept.move_to_end(images)
            return known

    def _keep(self, images: StudyImages, found: StudyStacks) -> None:
        with self._lock:
            self._kept[images] = found
            stacks = sum(len(one.stacks) for one in self._kept.values())
            while len(self._kept) > 1 and (len(self._kept) > KEPT or stacks > KEPT_STACKS):
                _, oldest = self._kept.popitem(last=False)
                stacks -= len(oldest.stacks)

    def _rules(self) -> tuple[RuleBook, str]:
        """The rules in force, or none and what is wrong with them."""
        with self._database.reading() as session:
            try:
                return rules_in_force(session), ""
            except WrongRules as error:
                return RuleBook(), f"the rules in force cannot be read: {error}"


def stacks_shown(
    study_instance_uid: str, paths: Sequence[Path], corrections: Corrections = no_corrections
) -> StudyStacks:
    """What the images in these files are. A file that cannot be read is left out with its reason."""
    headers, left_out = _headers(paths[:MOST_IMAGES])
    study = group_study(headers, corrections)
    left_out.update(_left_out(one) for one in study.left_out)
    if len(paths) > MOST_IMAGES:
        left_out[f"not looked at: the study has more than {MOST_IMAGES} images"] = len(paths) - MOST_IMAGES
    return StudyStacks(
        study_instance_uid=study_instance_uid,
        images=len(paths),
        stacks=[_shown(stack) for stack in study.stacks],
        left_out=[ImagesLeftOut(reason=reason, images=count) for reason, count in left_out.most_common()],
        fault="",
    )


def _headers(paths: Sequence[Path]) -> tuple[list[HeaderFile], Counter[str]]:
    headers: list[HeaderFile] = []
    unreadable: Counter[str] = Counter()
    for path in paths:
        try:
            headers += map(without_large_private_values, read_headers([path]))
        except UnusableSlice as error:
            unreadable[f"a file {error.reason.removeprefix(path.name).strip()}"] += 1
    return headers, unreadable


def _left_out(one: LeftOut) -> str:
    return one.reason if one.frame_number is None else f"frames of an image: {one.reason}"


def _shown(stack: Stack) -> StackShown:
    phase = stack.phase.value
    return StackShown(
        series_instance_uid=stack.series_instance_uid,
        series_number=stack.series_number,
        description=stack.description,
        modality=stack.modality,
        name=stack.name,
        plane=_told(stack.plane),
        tilt_deg=round(stack.tilt_deg, 1),
        weighting=_told(stack.weighting),
        nulling=_told(stack.nulling),
        component=_told(stack.component),
        contrast=_told(stack.contrast),
        bolus_phase=_told(stack.bolus_phase),
        kernel=stack.kernel,
        b_value=NumberTold(**vars(stack.b_value)),
        phase=PhaseTold(
            number=phase.number if phase else None,
            count=phase.count if phase else None,
            after_first_s=phase.after_first_s if phase else None,
            reason=stack.phase.reason,
        ),
        repetition=stack.repetition,
        corrected_by=list(stack.corrected_by),
        echo_ms=stack.echo_ms,
        is_derived=stack.is_derived,
        slices=len(stack.frames),
        gaps_mm=tuple(round(gap, 2) for gap in stack.gaps_mm) if stack.gaps_mm else None,
    )


def _told(answer: Answer[str] | Answer[BolusPhase | None]) -> Told:
    return Told(value=answer.value or "", reason=answer.reason, corrected_by=answer.corrected_by)
