"""New connections go to the process that has the fewest: how processes tell each other."""

from pacs_agent.receive.evenness import Counts, Evenness


def test_a_process_gives_way_only_to_one_that_has_fewer() -> None:
    counts = Counts(2)
    first, second = Evenness(counts, 0), Evenness(counts, 1)
    assert not first.another_has_fewer()
    first.tell(1)
    assert first.another_has_fewer()
    assert not second.another_has_fewer()
    second.tell(1)
    assert not first.another_has_fewer()


def test_a_process_that_takes_the_place_of_a_dead_one_has_none() -> None:
    counts = Counts(2)
    Evenness(counts, 1).tell(7)
    other = Evenness(counts, 0)
    other.tell(1)
    Evenness(counts, 1)
    assert other.another_has_fewer()
