"""Group commit: nobody waits alone, everybody is told, whoever leads."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from pacs_agent.archive import StorageFailure
from pacs_agent.archive.group import MOST_AT_ONCE, GroupCommit


def test_one_alone_commits_at_once() -> None:
    groups: list[list[int]] = []
    group = GroupCommit[int](lambda entries: (groups.append(list(entries)), [entry == 1 for entry in entries])[1])
    assert [group.submit(1), group.submit(2)] == [True, False]
    assert groups == [[1], [2]]


def test_those_who_come_meanwhile_go_together() -> None:
    groups: list[list[int]] = []
    first_is_at_work, go_on = threading.Event(), threading.Event()

    def commit(entries: Sequence[int]) -> list[bool]:
        groups.append(list(entries))
        first_is_at_work.set()
        assert go_on.wait(10)
        return [entry % 2 == 0 for entry in entries]

    group = GroupCommit(commit)
    with ThreadPoolExecutor(100) as associations:
        told = [associations.submit(group.submit, 0)]
        first_is_at_work.wait(10)
        told += [associations.submit(group.submit, entry) for entry in range(1, 100)]
        while len(group._waiting) < 99:
            pass
        go_on.set()
        assert [one.result(10) for one in told] == [entry % 2 == 0 for entry in range(100)]
    assert [len(entries) for entries in groups] == [1, MOST_AT_ONCE, 99 - MOST_AT_ONCE]


def test_a_failure_is_told_to_all_of_its_group_and_the_next_one_goes_on() -> None:
    fails = True

    def commit(entries: Sequence[int]) -> list[bool]:
        if fails:
            raise StorageFailure("the database is gone")
        return [True for _ in entries]

    group = GroupCommit(commit)
    with pytest.raises(StorageFailure, match="gone"):
        group.submit(1)
    fails = False
    assert group.submit(2)


def test_death_of_the_leader_frees_those_who_wait() -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def commit(entries: Sequence[int]) -> list[bool]:
        at_work.set()
        assert go_on.wait(10)
        if 0 in entries:
            raise ZeroDivisionError
        return [True for _ in entries]

    group = GroupCommit(commit)
    with ThreadPoolExecutor(2) as associations:
        leader = associations.submit(group.submit, 0)
        at_work.wait(10)
        follower = associations.submit(group.submit, 1)
        while not group._waiting:
            pass
        go_on.set()
        assert isinstance(leader.exception(10), ZeroDivisionError)
        assert follower.result(10)
