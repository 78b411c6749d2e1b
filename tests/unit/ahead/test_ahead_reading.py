"""Slices are read while their study arrives: once, within bounds, to the very tokens that the job asks for."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import RLELossless
from sqlalchemy import select, update

from pacs_agent.ahead import Allowance, Kit, ReadAhead, ahead_of_study
from pacs_agent.ahead.pauses import FIRST_PAUSE_S, Pauses
from pacs_agent.ahead.reading import LOOK_SOONER
from pacs_agent.archive import Archive, instance_header, remove_study, split_part10
from pacs_agent.config import AheadSettings, DecodingSettings
from pacs_agent.db import (
    AuditEvent,
    Database,
    Instance,
    Job,
    JobState,
    SeriesAhead,
    Study,
    StudyState,
    Suspension,
    Worker,
)
from pacs_agent.imaging import DecodingPool, OrderedSeries, RecentHeaders, UnusableSlice, order_series, read_headers
from pacs_agent.inference import Reader
from pacs_agent.route import put_rules
from tests.unit.imaging.imaging_slices import SERIES_UID, ct_slice, enhanced_ct, gradient, stack
from tests.unit.inference.tiny_bundle import load, settings_of, write_bundle

CT = "rules:\n- {name: ct, pipeline: msvlm, when: {attribute: Modality, equals: CT}}"
MR = "rules:\n- {name: mr, pipeline: msvlm, when: {attribute: Modality, equals: MR}}"
BY_HEADER = "rules:\n- {name: kvp, pipeline: msvlm, when: {attribute: KVP, equals: 120}}"


@dataclass
class Site:
    """A database with rules, an archive, a model, and a worker's reading ahead."""

    database: Database
    archive: Archive
    reader: Reader
    settings: AheadSettings
    worker: str = "w1"
    rehearsed: list[int] = field(default_factory=list)
    gives_way: bool = False
    takes: Sequence[int] = ()
    had_to_end: list[bool] = field(default_factory=list)

    def ahead(self, **changes: int) -> ReadAhead:
        kit = Kit((self.reader,), RecentHeaders(), self.rehearse)
        settings = self.settings.model_copy(update=changes)
        return ReadAhead(self.archive, settings, lambda: kit, self.worker, "msvlm", ["staging"])

    def rehearse(self, allowance: Allowance) -> bool:
        self.rehearsed.append(allowance.study_pk)
        self.had_to_end.append(allowance.must_end())
        return not self.gives_way and all(allowance.take(SERIES_UID, slices) for slices in self.takes)

    def rules(self, text: str) -> None:
        with self.database.writing() as session:
            put_rules(session, text, actor="test")

    def receive(self, datasets: Sequence[Dataset]) -> None:
        for dataset in datasets:
            part10 = BytesIO()
            dataset.save_as(part10, enforce_file_format=True)
            encoded = split_part10(part10.getvalue())
            header = instance_header(dataset, encoded.transfer_syntax_uid)
            self.archive.store(encoded, header, source="test")

    def paths(self) -> list[Path]:
        with self.database.reading() as session:
            uids = session.scalars(select(Study.study_instance_uid)).all()
            return [self.archive.path(one.digest) for uid in uids for one in self.archive.study_files(session, uid)]

    def series(self) -> OrderedSeries:
        return order_series(read_headers(self.paths()))

    def rows(self) -> list[SeriesAhead]:
        with self.database.reading() as session:
            return list(session.scalars(select(SeriesAhead)))

    def set_state(self, state: StudyState) -> None:
        with self.database.writing() as session:
            session.execute(update(Study).values(state=state))


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    folder = write_bundle(tmp_path / "bundles" / "tiny-1.0")
    reader = Reader(load(folder), settings_of(folder, batch_slices=3), tmp_path / "tokens")
    site = Site(database, Archive(database, tmp_path / "archive"), reader, AheadSettings(batch_slices=4))
    site.rules(CT)
    return site


def read_all(ahead: ReadAhead) -> None:
    """Looks and encodes as the two threads do, and writes the counts."""
    ahead.look()
    ahead._there_is_work.set()
    ahead.encode_waiting()
    ahead.counts.write()


def turned(datasets: list[Dataset], orientation: Sequence[float]) -> list[Dataset]:
    for dataset in datasets:
        dataset.ImageOrientationPatient = list(orientation)
    return datasets


def unsigned(count: int) -> list[Dataset]:
    pixels = (gradient().astype(np.int32) + 40000).astype(np.uint16)
    return [ct_slice((0, 0, 2.0 * number), pixels=pixels + np.uint16(number)) for number in range(count)]


def compressed(count: int) -> list[Dataset]:
    datasets = stack(count)
    for dataset in datasets:
        dataset.compress(RLELossless, generate_instance_uid=False)
    return datasets


@pytest.mark.parametrize(
    "make",
    [
        lambda: stack(6),
        lambda: unsigned(4),
        lambda: compressed(3),
        lambda: turned(stack(4), (-1, 0, 0, 0, -1, 0)),
        lambda: turned(stack(4), (0, 1, 0, 1, 0, 0)),
        lambda: turned(stack(4), (0.8, 0.6, 0, -0.6, 0.8, 0)),
        lambda: [enhanced_ct([(0, 0, 2.0 * number) for number in range(5)])],
        lambda: stack(4, RescaleSlope="0.73", RescaleIntercept="-1023.5"),
    ],
    ids=["plain", "unsigned", "compressed", "upside down", "transposed", "oblique in plane", "enhanced", "slope"],
)
def test_read_ahead_or_later_the_keys_are_the_same(
    site: Site, make: Callable[[], list[Dataset]], tmp_path: Path
) -> None:
    site.receive(make())
    read_all(site.ahead())
    series = site.series()
    ahead = site.reader.encode_missing(series)
    assert (ahead.encoded, ahead.cached) == (0, len(series.slices))
    later = Reader(site.reader.bundle, settings_of(tmp_path / "bundles" / "tiny-1.0"), tmp_path / "other tokens")
    assert later.encode_missing(series).keys == ahead.keys
    assert sum(row.encoded for row in site.rows()) == len(series.slices)


def test_a_cached_slice_is_not_even_decoded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.receive(stack(5))
    read_all(site.ahead())
    monkeypatch.setattr(site.reader.encoder, "_read", lambda slices: iter(["decoded" for _ in slices]))
    seen: list[tuple[int, int]] = []
    assert site.reader.encode_missing(site.series(), lambda done, total: seen.append((done, total))).cached == 5
    assert seen == [(5, 5)]


def test_without_what_is_remembered_the_slices_are_decoded(site: Site, tmp_path: Path) -> None:
    site.receive(stack(5))
    read_all(site.ahead())
    known = site.reader.encode_missing(site.series())
    for file in (tmp_path / "tokens" / "keys").rglob("*.json"):
        file.write_text("broken" if file.name < "8" else '{"a": 1}')
    site.reader.encoder.keys._recent.clear()
    again = site.reader.encode_missing(site.series())
    assert (again.keys, again.encoded) == (known.keys, 0)


def test_a_late_image_and_a_re_send_cost_what_is_new(site: Site) -> None:
    datasets = stack(6)
    ahead = site.ahead()
    site.receive(datasets[:4])
    read_all(ahead)
    site.receive(datasets)
    read_all(ahead)
    assert [row.encoded for row in site.rows()] == [6]
    assert site.reader.encode_missing(site.series()).encoded == 0


def test_images_that_were_there_before_the_start_are_looked_at_again(site: Site) -> None:
    site.receive(stack(6)[:3])
    read_all(site.ahead())
    site.receive(stack(2, SeriesInstanceUID="1.2.9"))
    read_all(site.ahead())
    assert sum(row.encoded for row in site.rows()) == 5


def test_ids_that_are_given_again_after_a_removal_are_looked_at(site: Site) -> None:
    ahead = site.ahead()
    site.receive(stack(6))
    read_all(ahead)
    remove_study(site.archive, site.series().study_instance_uid, actor="test")
    read_all(ahead)
    site.receive(stack(3, StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.10"))
    read_all(ahead)
    assert [row.encoded for row in site.rows()] == [3]


def test_of_two_images_the_later_id_may_be_committed_first(site: Site) -> None:
    datasets, ahead = stack(3), site.ahead()
    site.receive(datasets[:2])
    with site.database.writing() as session:
        session.execute(update(Instance).where(Instance.id == 1).values(id=40))
    read_all(ahead)
    site.receive([datasets[2]])
    with site.database.writing() as session:
        session.execute(update(Instance).where(Instance.id == 41).values(id=30))
    read_all(ahead)
    assert [row.encoded for row in site.rows()] == [3]


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("Modality", "MR"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        ("BodyPartExamined", "KNEE"),
        ("SamplesPerPixel", 3),
        ("ImageOrientationPatient", [0, 1, 0, 0, 0, -1]),
        ("PixelSpacing", None),
        ("RescaleSlope", 0),
    ],
)
def test_what_no_model_reads_is_not_encoded(site: Site, change: str, value: object) -> None:
    site.rules(CT + "\n- {name: mr, pipeline: msvlm}")
    site.receive(stack(3, **{change: value}))
    read_all(site.ahead())
    assert site.rows() == []


@pytest.mark.parametrize("rules", [MR, "rules: []", CT.replace("msvlm", "other")])
def test_a_study_that_is_not_routed_costs_nothing(site: Site, rules: str) -> None:
    site.rules(rules)
    site.receive(stack(3))
    ahead = site.ahead()
    read_all(ahead)
    assert site.rows() == []
    site.set_state(StudyState.IGNORED)
    ahead.look()
    assert ahead.waiting.studies() == []


def test_held_slices_are_encoded_once_a_rule_takes_the_study(site: Site) -> None:
    site.rules(MR)
    ahead = site.ahead()
    site.receive(stack(3))
    read_all(ahead)
    site.rules(CT)
    read_all(ahead)
    assert [row.encoded for row in site.rows()] == [3]


def test_what_only_headers_say_is_not_waited_for_and_counted_when_in_vain(site: Site) -> None:
    site.rules(BY_HEADER)
    ahead = site.ahead()
    site.receive(stack(3))
    with site.database.reading() as session:
        lines = len(session.scalars(select(AuditEvent)).all())
    read_all(ahead)
    site.set_state(StudyState.IGNORED)
    ahead.counts.settle()
    [row] = site.rows()
    assert (row.encoded, row.used, row.settled_at is not None) == (3, 0, True)
    with site.database.reading() as session:
        figures = ahead_of_study(session, row.study_pk)
        assert len(session.scalars(select(AuditEvent)).all()) == lines
        assert session.scalars(select(Job)).all() == []
    assert figures is not None
    assert (figures.used, figures.wasted) == (0, 3)


def test_what_a_job_read_counts_as_used(site: Site) -> None:
    site.receive([*stack(4), *stack(2, SeriesInstanceUID="1.2.9")])
    ahead = site.ahead()
    read_all(ahead)
    site.set_state(StudyState.COMPLETE)
    chosen = SERIES_UID
    with site.database.writing() as session:
        study = session.scalars(select(Study.id)).one()
        verdicts = [{"series_instance_uid": uid, "chosen": uid == chosen, "slices": 4} for uid in (chosen, "1.2.9")]
        job = Job(id="j", study_pk=study, rule="ct", pipeline="msvlm", input_digest="", series_choice=None)
        session.add(job)
    ahead.counts.settle()
    assert {row.settled_at for row in site.rows()} == {None}
    with site.database.writing() as session:
        job = session.get_one(Job, "j")
        job.state, job.series_choice = JobState.DONE, {"verdicts": verdicts}
    ahead.counts.settle()
    with site.database.reading() as session:
        figures = ahead_of_study(session, study)
    assert figures is not None
    assert (figures.encoded, figures.used, figures.wasted) == (6, 4, 2)


def test_bounds(site: Site) -> None:
    site.receive(stack(6))
    ahead = site.ahead(max_slices_per_study=4)
    read_all(ahead)
    assert [(row.encoded, row.left_out) for row in site.rows()] == [(4, 2)]
    assert site.reader.encode_missing(site.series()).encoded == 2


def test_a_full_queue_leaves_slices_to_the_job(site: Site) -> None:
    site.receive(stack(6))
    ahead = site.ahead(max_waiting_slices=1)
    read_all(ahead)
    assert [(row.encoded, row.left_out) for row in site.rows()] == [(1, 5)]


def test_the_budget_of_a_minute(site: Site) -> None:
    site.receive(stack(6))
    ahead = site.ahead(max_slices_per_minute=3)
    read_all(ahead)
    assert [row.encoded for row in site.rows()] == [3]
    assert len(ahead.waiting) == 3


def test_soft_kernels_come_first(site: Site) -> None:
    site.receive([*stack(2, ConvolutionKernel="LUNG", SeriesInstanceUID="1.2.9"), *stack(2, ConvolutionKernel="B30f")])
    ahead = site.ahead()
    ahead.look()
    kernels = [one.series_instance_uid == "1.2.9" for one in ahead.waiting.take(lambda _study, _series: True)]
    assert kernels == [False, False, True, True]


def test_a_broken_slice_is_counted_and_left_to_the_job(site: Site) -> None:
    datasets = compressed(3)
    datasets[1].PixelData = datasets[1].PixelData[:40]
    datasets[1]["PixelData"].is_undefined_length = True
    site.receive(datasets)
    read_all(site.ahead())
    assert [(row.encoded, row.undecodable) for row in site.rows()] == [(2, 1)]
    with pytest.raises(UnusableSlice):
        site.reader.encode_missing(site.series())


def test_a_header_that_cannot_be_read_holds_up_no_other_image(site: Site) -> None:
    broken, *others = stack(4)
    broken.add_new("ConvolutionKernel", "IS", "111111")
    site.receive([broken, *others])
    [path] = [path for path in site.paths() if b"111111" in path.read_bytes()]
    path.write_bytes(path.read_bytes().replace(b"111111", b"1e400 "))
    read_all(site.ahead())
    assert [row.encoded for row in site.rows()] == [3]


def test_nothing_is_read_ahead_while_work_is_suspended(site: Site) -> None:
    with site.database.writing() as session:
        session.add(Suspension(id=1, by="test"))
    site.receive(stack(3))
    read_all(site.ahead())
    assert site.rows() == []


def test_a_removed_study_takes_its_tokens_along(site: Site, tmp_path: Path) -> None:
    site.receive(stack(3))
    read_all(site.ahead())
    assert len([path for path in (tmp_path / "tokens").rglob("*") if path.is_file()]) == 6
    remove_study(site.archive, site.series().study_instance_uid, actor="test")
    assert [path for path in (tmp_path / "tokens").rglob("*") if path.is_file()] == []
    assert site.rows() == []


def test_the_pool_of_the_worker_decodes(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "bundles" / "tiny-1.0"
    pool = DecodingPool(DecodingSettings(processes=1))
    site.reader = Reader(load(folder), settings_of(folder), tmp_path / "tokens", pool)
    site.receive(compressed(2))
    try:
        read_all(site.ahead())
    finally:
        pool.close()
    assert [row.encoded for row in site.rows()] == [2]


def test_of_two_workers_each_study_is_read_by_one(site: Site) -> None:
    workers = ("w1", "w2")
    with site.database.writing() as session:
        session.add_all(Worker(executor_id=one, host="h", pid=number) for number, one in enumerate(workers, 1))
    readers = [replace(site, worker=one).ahead() for one in workers]
    studies = [f"1.2.77.{number}" for number in range(6)]
    for study in studies:
        site.receive(stack(2, StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1"))
    for ahead in readers:
        read_all(ahead)
    assert [row.encoded for row in site.rows()] == [2] * len(studies)
    shares = [ahead._arrivals.new() for ahead in readers]
    assert shares == [[], []]


def test_reading_ahead_gives_way_to_a_job(site: Site) -> None:
    site.receive(stack(4))
    ahead = site.ahead()
    ahead.look()
    with site.reader.turns.job():
        encoding = threading.Thread(target=ahead.encode_waiting)
        encoding.start()
        encoding.join(0.3)
        assert encoding.is_alive()
        assert not list((site.archive.files.root.parent / "tokens").rglob("*.npz"))
    encoding.join(20)
    assert not encoding.is_alive()
    assert site.reader.encode_missing(site.series()).encoded == 0


def test_it_stops_though_a_job_goes_on(site: Site) -> None:
    site.receive(stack(4))
    ahead = site.ahead()
    ahead.look()
    with site.reader.turns.job():
        encoding = threading.Thread(target=ahead.encode_waiting)
        encoding.start()
        ahead.stop()
        encoding.join(20)
        assert not encoding.is_alive()


def test_a_crash_loses_nothing_but_time(site: Site) -> None:
    """Of a batch some tokens are there, others not, and what was waiting is gone: the next start finds the rest."""
    site.receive(stack(6))
    ahead = site.ahead()
    ahead.look()
    ahead._finish(ahead._begin(ahead.waiting.take(lambda _study, _series: True)[:2]))
    read_all(site.ahead())
    assert site.reader.encode_missing(site.series()).encoded == 0
    assert [row.encoded for row in site.rows()] == [4]


def test_a_study_that_pauses_is_rehearsed_once_its_slices_are_encoded(site: Site) -> None:
    clock_s = [0.0]
    ahead = site.ahead()
    ahead._pauses = Pauses(lambda: clock_s[0])
    site.receive(stack(5))
    read_all(ahead)
    assert site.rehearsed == []
    clock_s[0] = FIRST_PAUSE_S
    read_all(ahead)
    assert None not in map(site.reader.encoder.key_with_token, site.series().slices)
    assert site.rehearsed == [1]
    read_all(ahead)
    assert site.rehearsed == [1]


@pytest.mark.parametrize(("rules", "state"), [(MR, StudyState.RECEIVING), (CT, StudyState.COMPLETE)])
def test_a_study_that_is_not_read_or_complete_is_not_rehearsed(site: Site, rules: str, state: StudyState) -> None:
    clock_s = [0.0]
    ahead = site.ahead()
    ahead._pauses = Pauses(lambda: clock_s[0])
    site.rules(rules)
    site.receive(stack(5))
    read_all(ahead)
    site.set_state(state)
    clock_s[0] = 10.0
    read_all(ahead)
    assert site.rehearsed == []


EXPECTS = "rules:\n- {name: ct, pipeline: msvlm, expects: {series: [%s], optional: [%s]}}"
SOFT = "{attribute: SeriesDescription, equals: soft}"


def described(*descriptions: str) -> list[Dataset]:
    """A series of two slices of each description, its UID by its place."""
    uids = [f"1.2.9.{place}" for place in range(len(descriptions))]
    return [
        one
        for uid, description in zip(uids, descriptions, strict=True)
        for one in stack(2, SeriesInstanceUID=uid, SeriesDescription=description)
    ]


@pytest.mark.parametrize(
    ("wanted", "optional", "encoded"),
    [
        (SOFT, "", {"1.2.9.0"}),
        (SOFT, "{attribute: SeriesDescription, equals: sharp}", {"1.2.9.0", "1.2.9.1"}),
        (f"{{all: [{SOFT}, {{attribute: NumberOfSeriesRelatedInstances, range: {{min: 2}}}}]}}", "", {"1.2.9.0"}),
        (SOFT, "{attribute: KVP, equals: 120}", {"1.2.9.0", "1.2.9.1", "1.2.9.2"}),
        ("{stack: {plane: axial}}", "", {"1.2.9.0", "1.2.9.1", "1.2.9.2"}),
        ("{attribute: SeriesDescription, equals: other}", "", {"1.2.9.0", "1.2.9.1", "1.2.9.2"}),
    ],
    ids=["one", "optional", "count", "by header", "stack", "not come"],
)
def test_series_that_no_job_will_read_are_not_encoded(
    site: Site, wanted: str, optional: str, encoded: set[str]
) -> None:
    site.rules(EXPECTS % (wanted, optional))
    site.receive(described("soft", "sharp", "lung"))
    clock_s = [0.0]
    ahead = site.ahead()
    ahead._pauses = Pauses(lambda: clock_s[0])
    read_all(ahead)
    assert {row.series_instance_uid for row in site.rows()} == encoded
    clock_s[0] = FIRST_PAUSE_S
    read_all(ahead)
    assert site.rehearsed == [1], "what is left alone is not waited for"
    site.set_state(StudyState.COMPLETE)
    ahead.look()
    assert len(ahead.waiting) == 0


def test_a_rule_that_limits_nothing_has_all_series_encoded(site: Site) -> None:
    further = "\n- {name: all, pipeline: msvlm:tiny}"
    site.rules(EXPECTS.replace("expects:", "continue: true, expects:") % (SOFT, "") + further)
    site.receive(described("soft", "sharp"))
    read_all(site.ahead())
    assert [row.encoded for row in site.rows()] == [2, 2]


STAGED = CT.replace("msvlm", "staging")


def test_what_another_pipeline_reads_is_rehearsed_within_the_bounds_and_not_encoded_by_slices(site: Site) -> None:
    clock_s = [0.0]
    ahead = site.ahead(max_slices_per_study=5 + 7)  # of which those that wait take their part
    ahead._pauses = Pauses(lambda: clock_s[0])
    site.rules(STAGED)
    site.receive(stack(5))
    read_all(ahead)
    assert site.rows() == []
    clock_s[0], site.takes = FIRST_PAUSE_S, (3, 3, 2)
    read_all(ahead)
    assert (site.rehearsed, site.had_to_end) == ([1], [False])
    assert [(row.encoded, row.left_out) for row in site.rows()] == [(6, 2)]


def test_rehearsals_end_where_slices_wait(site: Site) -> None:
    ahead = site.ahead()
    site.receive(stack(5))
    ahead.look()
    assert ahead._must_end_rehearsal()
    ahead.encode_waiting()
    assert not ahead._must_end_rehearsal()
    ahead.stop()
    assert ahead._must_end_rehearsal()


def test_slices_that_were_encoded_again_are_used_once(site: Site) -> None:
    site.receive(stack(4))
    ahead = site.ahead()
    ahead.counts.encoded(1, SERIES_UID, 3)
    ahead.counts.encoded(1, SERIES_UID, 4)
    ahead.counts.write()
    site.set_state(StudyState.COMPLETE)
    read = {"verdicts": [{"series_instance_uid": SERIES_UID, "chosen": True, "slices": 4}]}
    with site.database.writing() as session:
        job = Job(id="j", study_pk=1, rule="ct", pipeline="staging", input_digest="", series_choice=read)
        job.state = JobState.DONE
        session.add(job)
    ahead.counts.settle()
    assert [(row.encoded, row.used) for row in site.rows()] == [(7, 4)]


def test_a_rehearsal_that_gave_way_is_tried_again_after_a_pause(site: Site) -> None:
    clock_s = [0.0]
    ahead = site.ahead()
    ahead._pauses = Pauses(lambda: clock_s[0])
    site.receive(stack(5))
    read_all(ahead)
    clock_s[0], site.gives_way = FIRST_PAUSE_S, True
    read_all(ahead)
    read_all(ahead)
    assert site.rehearsed == [1]
    clock_s[0], site.gives_way = 2 * FIRST_PAUSE_S, False
    read_all(ahead)
    assert site.rehearsed == [1, 1]
    clock_s[0] = 100.0
    read_all(ahead)
    assert site.rehearsed == [1, 1]


def test_one_looks_again_sooner_while_images_come(site: Site) -> None:
    ahead = site.ahead()
    ahead.look()
    assert ahead.next_look_in_s() == site.settings.poll_s
    site.receive(stack(2))
    ahead.look()
    assert ahead.next_look_in_s() == site.settings.poll_s * LOOK_SOONER
    ahead.look()
    assert ahead.next_look_in_s() == site.settings.poll_s
