"""Places for associations: their limits over all processes, who gives way, and what others can see of them."""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.ops.open_count import ASSOCIATIONS, told_count
from pacs_agent.receive import still_open
from pacs_agent.receive.places import IDLE_S, NoPlace, PlaceLimits, Places
from pacs_agent.receive.slots import ALIVE_WITHIN_S, PLACES


class Clock:
    """A clock that stands still until it is told."""

    now_s = 10_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refused(places: Places, source: str, *, at_its_host: bool = False) -> str:
    """Why a peer gets no place; nothing when it has one now."""
    try:
        places.take(source, at_its_host=at_its_host)
    except NoPlace as why:
        return str(why)
    return ""


def test_places_are_limited_in_all_for_a_peer_and_by_a_reserve(tmp_path: Path) -> None:
    places = Places(tmp_path, PlaceLimits(in_all=8, per_peer=3))
    assert [bool(refused(places, "A@1")) for _ in range(4)] == [False, False, False, True]
    assert [bool(refused(places, f"B@{n}")) for n in range(4)] == [False, False, False, True]
    assert "kept for peers with a registered host" in refused(places, "C@1")
    known = places.take("K@0", at_its_host=True)
    assert [bool(refused(places, f"K@{n}", at_its_host=True)) for n in (1, 2)] == [False, True]
    assert told_count(tmp_path / ASSOCIATIONS) == 8
    places.give_back(known)
    places.give_back(known)
    assert refused(places, "K@9", at_its_host=True) == ""
    places.close()
    places.give_back(known)
    assert told_count(tmp_path / ASSOCIATIONS) == 0


def test_places_of_two_processes_are_counted_together_and_those_of_the_dead_are_free(tmp_path: Path) -> None:
    places = Places(tmp_path, PlaceLimits(in_all=2, per_peer=2))
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        other = Places(tmp_path, PlaceLimits(in_all=2, per_peer=2))
        other.take("A@1", at_its_host=True)
        os.write(writer, b"\0")
        time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    assert refused(places, "A@1", at_its_host=True) == ""
    assert "2 associations are open" in refused(places, "B@1", at_its_host=True)
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert refused(places, "B@1", at_its_host=True) == ""
    places.close()
    assert (tmp_path / PLACES).stat().st_size == 0


def test_a_disk_that_takes_no_note_ends_no_association(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path, PlaceLimits(in_all=2, per_peer=2))
    place = places.take("A@1", at_its_host=True)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        place.brought("1.2.3")
    place.brought("1.2.3")
    assert still_open(tmp_path, ["1.2.3"]) == {"1.2.3": "A@1"}
    places.close()


def test_no_place_is_lost_to_a_disk_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places, write = Places(tmp_path, PlaceLimits(in_all=2, per_peer=2)), os.pwrite
    written: list[int] = []

    def full_from_the_second(file: int, content: bytes, position: int) -> int:
        written.append(position)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content, position)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full_from_the_second)
        place = places.take("A@1", at_its_host=True)
        with pytest.raises(OSError, match="No space"):
            places.give_back(place)
    places.keep()
    assert (refused(places, "A@1"), refused(places, "A@1", at_its_host=True)) == ("", "")
    places.close()
    assert (tmp_path / PLACES).stat().st_size == 0


@given(steps=st.lists(st.integers(0, 5), max_size=30))
def test_as_many_places_are_told_as_are_held(tmp_path_factory: pytest.TempPathFactory, steps: list[int]) -> None:
    folder = tmp_path_factory.mktemp("places")
    places, held = Places(folder, PlaceLimits(in_all=4, per_peer=4)), []
    for step in steps:
        if step < len(held):
            places.give_back(held.pop(step))
        else:
            with suppress(NoPlace):
                held.append(places.take("A@1", at_its_host=True))
        assert told_count(folder / ASSOCIATIONS) == len(held) <= 4
    places.close()
    assert (folder / PLACES).stat().st_size == 0


def test_one_that_brought_nothing_for_long_gives_way_where_places_are_short(tmp_path: Path, clock: Clock) -> None:
    places, ended = Places(tmp_path, PlaceLimits(in_all=2, per_peer=2), clock), []
    echoes = places.take("ECHOER@1", at_its_host=True, interrupt=lambda: ended.append("ECHOER"))
    images = places.take("CT1@2", at_its_host=True, interrupt=lambda: ended.append("CT1"))
    clock.now_s += IDLE_S - 1
    images.brought("1.2")
    assert "2 associations are open" in refused(places, "CT2@3", at_its_host=True)
    clock.now_s += 2
    assert refused(places, "CT2@3", at_its_host=True) == ""
    assert (ended, echoes.gives_way, images.gives_way) == (["ECHOER"], True, False)
    assert refused(places, "CT3@4", at_its_host=True) != "", "nobody else was idle for long enough"
    places.give_back(echoes)
    assert told_count(tmp_path / ASSOCIATIONS) == 2
    assert refused(places, "CT3@4", at_its_host=True) != "", "its place was given away before it ended"
    places.close()


def test_a_peer_with_all_its_places_taken_pushes_out_none_but_its_own(tmp_path: Path, clock: Clock) -> None:
    places, ended = Places(tmp_path, PlaceLimits(in_all=8, per_peer=2), clock), []
    places.take("OTHER@1", at_its_host=True, interrupt=lambda: ended.append("OTHER"))
    clock.now_s += 1
    for number in (1, 2):
        places.take("CT1@2", at_its_host=True, interrupt=lambda number=number: ended.append(number))
    clock.now_s += IDLE_S + 1
    assert refused(places, "CT1@2", at_its_host=True) == ""
    assert ended == [1]
    places.close()


def test_instances_that_are_refused_do_not_keep_a_place(tmp_path: Path, clock: Clock) -> None:
    places = Places(tmp_path, PlaceLimits(in_all=1, per_peer=1), clock)
    place = places.take("CT1@2", at_its_host=True)
    clock.now_s += IDLE_S - 1
    place.begins()
    clock.now_s += 2
    assert refused(places, "CT2@3", at_its_host=True) != "", "one that comes slowly is waited for"
    for _ in range(3):
        place.begins()
        clock.now_s += IDLE_S / 3
    assert refused(places, "CT2@3", at_its_host=True) == ""
    places.close()


def test_one_of_another_process_gives_way_when_that_process_looks(tmp_path: Path) -> None:
    places = Places(tmp_path, PlaceLimits(in_all=1, per_peer=1))
    to_child, to_parent = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        with suppress(BaseException):
            other = Places(tmp_path, PlaceLimits(in_all=1, per_peer=1), lambda: time.monotonic() - IDLE_S - 5)
            other.take("ECHOER@1", at_its_host=True, interrupt=lambda: os.write(to_parent[1], b"ended"))
            os.write(to_parent[1], b"taken")
            os.read(to_child[0], 1)
            other.keep()
            other.keep()
        os._exit(0)
    assert os.read(to_parent[0], 5) == b"taken"
    assert refused(places, "CT1@2", at_its_host=True) == ""
    os.write(to_child[1], b"\0")
    os.waitpid(child, 0)
    assert os.read(to_parent[0], 50) == b"ended", "once"
    places.close()


def test_others_see_of_which_study_an_open_association_brought_the_newest_instance(
    tmp_path: Path, clock: Clock
) -> None:
    assert still_open(tmp_path, ["1.2"], clock) == {}, "nothing listens"
    places = Places(tmp_path, PlaceLimits(in_all=4, per_peer=4), clock)
    place = places.take("CT1@10.0.0.7", at_its_host=True)
    assert still_open(tmp_path, ["1.2"], clock) == {}
    place.brought("1.2")
    assert still_open(tmp_path, ["1.2", "1.3"], clock) == {"1.2": "CT1@10.0.0.7"}
    place.begins()
    assert still_open(tmp_path, ["1.2"], clock) == {"1.2": "CT1@10.0.0.7"}
    place.brought("1.3")
    assert still_open(tmp_path, ["1.2", "1.3"], clock) == {"1.3": "CT1@10.0.0.7"}, "it has gone on to another study"
    places.give_back(place)
    place.brought("1.3")
    assert still_open(tmp_path, ["1.2", "1.3"], clock) == {}
    places.close()


def test_an_association_whose_process_is_silent_counts_as_none(tmp_path: Path, clock: Clock) -> None:
    places = Places(tmp_path, PlaceLimits(in_all=4, per_peer=4), clock)
    places.take("CT1@10.0.0.7", at_its_host=True).brought("1.2")
    clock.now_s += ALIVE_WITHIN_S + 1
    assert still_open(tmp_path, ["1.2"], clock) == {}
    places.keep()
    assert still_open(tmp_path, ["1.2"], clock) == {"1.2": "CT1@10.0.0.7"}
    clock.now_s -= ALIVE_WITHIN_S
    assert still_open(tmp_path, ["1.2"], clock) == {}, "a time of another machine"
    places.close()
