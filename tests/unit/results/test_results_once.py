"""A part is made once for the same arguments, and anew for others."""

from study_readings import reading

from pacs_agent.inference.reading import StudyReading
from pacs_agent.results.once import KEPT, once


def test_made_once_for_each_reading_and_argument() -> None:
    made = list[str]()

    @once
    def part(of: StudyReading, name: str) -> str:
        made.append(name)
        return f"{name} {len(made)}"

    one, other = reading(), reading()
    assert [part(one, "a"), part(one, "a"), part(one, "b"), part(other, "a")] == ["a 1", "a 1", "b 2", "a 3"]
    for number in range(KEPT):
        part(one, str(number))
    assert part(one, "a") == f"a {len(made)}", "the oldest are forgotten"


def test_what_may_change_is_looked_at_each_time() -> None:
    calls = list[int]()

    @once
    def total(numbers: list[int]) -> int:
        calls.append(1)
        return sum(numbers)

    numbers = [1, 2]
    assert total(numbers) == 3
    numbers.append(3)
    assert total(numbers) == 6
