"""The page of quality: reviews by week, and drift in figures and in words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import app_of
from sqlalchemy import select
from studies_read import READING, add_job, add_study, reading

from pacs_agent.console.quality.blueprint import quality_page
from pacs_agent.console.quality.models import QualityAsked
from pacs_agent.db import Database, HandledFinding, Job, JobState, ReadingStatistics, Review
from pacs_agent.inference import Presence, count_reading, wilson
from pacs_agent.inference.intervals import BINS, bin_of, differs, quantile
from pacs_agent.inference.statistics import FIRST, FIRST_STUDIES, MOST_VALUES

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
"""A Wednesday."""


def count(database: Database, studies: int, share: float, weeks_ago: int, manufacturer: str = "A") -> None:
    """Readings of a week, of which a share says that the first finding is there."""
    said = reading()
    first = said.findings[0]
    with database.writing() as session:
        for number in range(studies):
            present = number < share * studies
            changed = {"probability": 0.9 if present else 0.1}
            changed["presence"] = Presence.PRESENT if present else Presence.ABSENT
            one = said.model_copy(update={"findings": (first.model_copy(update=changed), *said.findings[1:])})
            count_reading(session, one, manufacturer, "B30f", NOW - timedelta(weeks=weeks_ago))


def warnings(database: Database) -> tuple[str, ...]:
    with database.reading() as session:
        (drift,) = quality_page(session, QualityAsked(weeks=8), {}, NOW).drift
    return drift.warnings


def test_a_week_that_says_more_is_told_in_words(database: Database) -> None:
    count(database, 200, 0.27, 2)
    count(database, 120, 0.42, 0)
    name = READING["findings"][0]["label"]["name"]
    assert warnings(database) == (f"{name} was said in 42 % of 120 studies this week; 21–34 % is usual.",)


def test_a_usual_week_and_a_week_of_few_say_nothing(database: Database) -> None:
    count(database, 200, 0.3, 2)
    count(database, 50, 0.32, 1)
    assert warnings(database) == ()
    count(database, 19, 1.0, 0, manufacturer="<b>new")
    assert warnings(database) == ()


def test_other_scanners_are_told(database: Database) -> None:
    count(database, 200, 0.3, 2)
    count(database, 40, 0.3, 0, manufacturer="Another")
    assert [one for one in warnings(database) if "manufacturer “Another”" in one]


def test_counts_end_with_the_first_studies_and_never_grow_without_bound(database: Database) -> None:
    said = reading()
    with database.writing() as session:
        for number in range(FIRST_STUDIES + 5):
            count_reading(session, said, f"maker {number}", "", NOW)
        rows = {row.period: row for row in session.scalars(select(ReadingStatistics))}
    assert {period: row.studies for period, row in rows.items()} == {
        FIRST: FIRST_STUDIES,
        "2026-11-16": FIRST_STUDIES + 5,
    }
    assert len(rows["2026-11-16"].content["manufacturers"]) == MOST_VALUES + 1


def add_review(database: Database, job: str, version: int, weeks_ago: int, *actions: str) -> None:
    with database.writing() as session:
        study_pk = session.get_one(Job, job).study_pk
        written = Job(id=f"{job}-{version}", study_pk=study_pk, rule="ct", pipeline="review", input_digest="0")
        session.add(written)
        session.flush()
        review = Review(study_pk=study_pk, job_id=job, review_job_id=written.id, version=version, verified=True)
        review.login, review.name, review.person_name = "ada", "Ada", "Ada"
        review.created_at = NOW - timedelta(weeks=weeks_ago)
        for number, action in enumerate(actions):
            said = {"presence": "present", "probability": 0.5, "model_name": "m", "model_version": "1"}
            review.findings.append(HandledFinding(finding=f"f{number}", action=action, **said))
        session.add(review)


def test_of_each_review_the_newest_version_counts_in_its_week(database: Database) -> None:
    study = add_study(database)
    one, other = (add_job(database, study, JobState.DONE, content=READING) for _ in range(2))
    add_review(database, one, 1, 3, "rejected")
    add_review(database, one, 2, 2, "accepted")
    add_review(database, other, 1, 0, "edited", "added")
    with database.reading() as session:
        handled = quality_page(session, QualityAsked(weeks=4), {}, NOW).handled
    assert [(row.finding, row.accepted.count, row.edited.count, row.rejected.count, row.added) for row in handled] == [
        ("f0", 1, 1, 0, 0),
        ("f1", 0, 0, 0, 1),
    ]
    assert handled[0].weeks == ((0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0), (0, 1, 0, 0))


@pytest.mark.parametrize(
    "path", ["/console/quality", "/api/v1/quality?weeks=104", "/console/quality?model=m+1", "/api/v1/quality?weeks=1"]
)
def test_the_page_is_there_without_anything_to_show(database: Database, tmp_path: Path, path: str) -> None:
    client = app_of(database, tmp_path).test_client()
    assert client.get(path).status_code == 200
    count(database, 3, 0.5, 0, manufacturer="<script>alert(1)</script>")
    assert "<script>alert" not in client.get("/console/quality").text
    assert client.get("/api/v1/quality?weeks=0").status_code == 400


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_share(count: int, more: int) -> None:
    low, high = wilson(count, count + more)
    share = count / (count + more) if count + more else 0.5
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_a_quantile_of_counts_lies_within_a_bin_of_that_of_the_scores(scores: list[float], share: float) -> None:
    counts = [0] * BINS
    for score in scores:
        counts[bin_of(score)] += 1
    found, exact = quantile(counts, share), sorted(scores)[min(int(share * len(scores)), len(scores) - 1)]
    assert found is not None
    below = sum(score <= found + 1 / BINS for score in scores)
    assert below >= share * len(scores) - 1
    assert 0 <= found <= 1
    assert exact >= 0
    assert not differs(counts, counts)
