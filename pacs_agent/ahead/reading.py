"""Reading ahead in a worker: one thread looks for images, another encodes what waits."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.ahead.allowance import Allowance
from pacs_agent.ahead.arrivals import Arrival, Arrivals
from pacs_agent.ahead.counts import Counts
from pacs_agent.ahead.kit import Kit
from pacs_agent.ahead.pauses import Pauses
from pacs_agent.ahead.share import living_workers, reads_ahead
from pacs_agent.ahead.waiting import Waiting, WaitingSlice
from pacs_agent.ahead.wanted import ToRead, Wanted
from pacs_agent.archive import UNREADABLE_VALUE, Archive
from pacs_agent.config import AheadSettings
from pacs_agent.db import Study, StudyState, Suspension
from pacs_agent.imaging import Decoded, HeaderFile, UnusableImages, UnusableSlice, promise_of, slices_ahead
from pacs_agent.inference import EncoderInput, InferenceError, ModelFailed, Reader, token_key
from pacs_agent.ops import get_log

WRITE_EVERY_S = 2.0
LOOK_SOONER = 0.25
"""Share of the period after which one looks again, where images came at the last look."""

_UNKNOWN = ToRead()

log = get_log("ahead")


@dataclass(frozen=True)
class _Decoding:
    """Slices of one model and shape that are being decoded."""

    reader: Reader
    slices: list[WaitingSlice]
    decoded: Iterator[Decoded]


class ReadAhead:
    """Slices of studies that still arrive become tokens. It waits for jobs and for nobody; nobody waits for it."""

    def __init__(
        self,
        archive: Archive,
        settings: AheadSettings,
        kit: Callable[[], Kit],
        executor_id: str,
        pipeline: str,
        rehearsed: Collection[str] = (),
    ) -> None:
        """`kit` gives the models in use, `pipeline` is the one whose jobs will ask for the tokens.

        `rehearsed` are those whose jobs are rehearsed beside it; their rehearsals encode what they need.
        """
        self.archive = archive
        self.database = archive.database
        self.executor_id = executor_id
        self.counts = Counts(self.database)
        self.waiting = Waiting(settings)
        self._settings = settings
        self._came = False
        self._kit = kit
        self._arrivals = Arrivals(self.database)
        self._pipeline = pipeline
        self._wanted = Wanted(archive, pipeline, rehearsed)
        self._pauses = Pauses()
        self._studies: dict[int, ToRead] = {}
        self._there_is_work = threading.Event()
        self._stopping = threading.Event()
        self._written_s = time.monotonic()

    def stop(self) -> None:
        """Lets `encode_waiting` return."""
        self._stopping.set()
        self._there_is_work.set()

    def load(self) -> None:
        """Loads the models in use, which the first image would have to wait for."""
        try:
            self._kit()
        except InferenceError as error:
            log.warning("not loaded", reason=str(error))

    def next_look_in_s(self) -> float:
        """When `look` should be called again: sooner while images come, so that the last of a study wait for little."""
        period_s = self._settings.poll_s
        return period_s * LOOK_SOONER if self._came else period_s

    def look(self) -> None:
        """Finds new images and lets their slices wait. Meant to be called again and again."""
        found = self._arrivals.new()
        self._came = bool(found)
        arrivals = self._ours(found)
        if arrivals:
            self._put(arrivals)
        for study in {one.study_pk for one in arrivals}:
            self._pauses.grew(study)
        self._ask_rules({one.study_pk: one.study_instance_uid for one in arrivals})
        if self.waiting.studies() or self._pauses.due():
            self._there_is_work.set()
        if time.monotonic() - self._written_s >= WRITE_EVERY_S:
            self._written_s = time.monotonic()
            self.counts.write()
            self.counts.settle()

    def encode_waiting(self) -> None:
        """Encodes until nothing waits that may be encoded, and rehearses studies that pause.

        Meant to be called again and again, by its own thread.
        """
        self._there_is_work.wait()
        decoding: _Decoding | None = None
        while not self._stopping.is_set():
            batch = self.waiting.take(self._is_wanted)
            before, decoding = decoding, self._begin(batch) if batch else None
            if before is not None:
                self._finish(before)
            elif batch:
                continue
            elif (study := self._pauses.take(self._may_be_rehearsed)) is not None:
                self._rehearse(study)
            else:
                self._there_is_work.clear()
                return

    def _begin(self, batch: Sequence[WaitingSlice]) -> _Decoding:
        """Lets slices of one model and shape be decoded, as far as they have no token, once no job is at it."""
        reader = batch[0].reader
        self._wait_for_jobs(reader)
        missing = [one for one in batch if reader.encoder.key_with_token(one.slice) is None]
        return _Decoding(reader, missing, reader.encoder.decode_each([one.slice for one in missing]))

    def _finish(self, decoding: _Decoding) -> None:
        """Makes the tokens of slices that are being decoded, while the next already are."""
        self._wait_for_jobs(decoding.reader)
        inputs: list[tuple[WaitingSlice, EncoderInput]] = []
        for one, decoded in zip(decoding.slices, decoding.decoded, strict=True):
            if isinstance(decoded, UnusableSlice):
                self.counts.undecodable(one.study_pk, one.series_instance_uid)
            else:
                inputs.append((one, EncoderInput(decoded, one.slice, token_key(decoded, one.slice))))
        self._encode(decoding.reader, inputs)

    def _wait_for_jobs(self, reader: Reader) -> None:
        while not reader.turns.wait_free() and not self._stopping.is_set():
            pass

    def _rehearse(self, study: int) -> None:
        had_nothing = partial(self._pauses.had_nothing, study)
        allowance = Allowance(study, self.waiting, self.counts, self._must_end_rehearsal, had_nothing)
        if not self._kit().rehearse(allowance):
            self._pauses.again(study)

    def _must_end_rehearsal(self) -> bool:
        return self._stopping.is_set() or self.waiting.waits(self._is_wanted)

    def _may_be_rehearsed(self, study: int) -> bool:
        """Whether the rules want it read, and none of its slices waits to be encoded."""
        return bool(self._studies.get(study, _UNKNOWN).pipelines) and not self._has_wanted(study)

    def _has_wanted(self, study: int) -> bool:
        return self.waiting.waits(lambda pk, series: pk == study and self._is_wanted(pk, series))

    def _is_wanted(self, study: int, series_instance_uid: str) -> bool:
        """Whether slices of a series may be encoded."""
        to_read = self._studies.get(study, _UNKNOWN)
        return self._pipeline in to_read.pipelines and series_instance_uid not in to_read.left

    def _encode(self, reader: Reader, inputs: Sequence[tuple[WaitingSlice, EncoderInput]]) -> None:
        if not inputs:
            return
        try:
            reader.encoder.encode([one for _, one in inputs])
        except (ModelFailed, OSError) as error:  # the job, if one comes, will meet it as well and say so
            log.warning("not read ahead", reason=str(error))
            return
        for waiting, _ in inputs:
            self.counts.encoded(waiting.study_pk, waiting.series_instance_uid)

    def _ours(self, arrivals: list[Arrival]) -> list[Arrival]:
        """Those of studies that are this worker's to read ahead; none while the work is suspended."""
        if not arrivals:
            return []
        with self.database.reading() as session:
            if session.scalar(select(Suspension.id).limit(1)) is not None:
                return []
            living = living_workers(session)
        return [one for one in arrivals if reads_ahead(one.study_instance_uid, self.executor_id, living)]

    def _put(self, arrivals: Sequence[Arrival]) -> None:
        try:
            kit = self._kit()
        except InferenceError as error:
            log.warning("not read ahead", reason=str(error))
            return
        slices = [one for arrival in arrivals for one in self._slices(kit, arrival)]
        for one in self.waiting.put(slices):
            self.counts.left_out(one.study_pk, one.series_instance_uid)

    def _slices(self, kit: Kit, arrival: Arrival) -> list[WaitingSlice]:
        """The slices of an image, for the first model that may be asked to read them."""
        try:
            [header] = kit.headers.read([self.archive.path(arrival.digest)])
            return next(filter(None, (_waiting(reader, header, arrival) for reader in kit.readers)), [])
        except (UnusableImages, *UNREADABLE_VALUE):
            return []  # removed meanwhile, or broken: the job will say so

    def _ask_rules(self, arrived: dict[int, str]) -> None:
        """Asks of which studies slices may be encoded; lets those go that are complete and that no rule takes."""
        asked = {*arrived, *self.waiting.studies(), *self._pauses.studies()}
        if not asked:
            self._studies = {}
            return
        with self.database.reading() as session:
            states = _states(session, asked)
            self._studies = {pk: self._wanted.ask(session, uid) for pk, (uid, _) in states.items()}
        for study in asked - {pk for pk, (_, state) in states.items() if state == StudyState.RECEIVING}:
            self._pauses.drop(study)
            if not self._has_wanted(study):
                self.waiting.drop(study)


def _waiting(reader: Reader, header: HeaderFile, arrival: Arrival) -> list[WaitingSlice]:
    slices = slices_ahead(header, reader.bundle.accepts)
    series, promise = str(header.dataset.get("SeriesInstanceUID", "")), promise_of(header)
    return [WaitingSlice(reader, one, promise, series, arrival.study_pk) for one in slices]


def _states(session: Session, studies: set[int]) -> dict[int, tuple[str, StudyState]]:
    query = select(Study.id, Study.study_instance_uid, Study.state).where(Study.id.in_(studies))
    return {pk: (uid, state) for pk, uid, state in session.execute(query)}
