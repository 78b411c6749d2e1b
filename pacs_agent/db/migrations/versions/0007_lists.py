"""Indexes for long lists, columns to search by, and suspended work."""

import unicodedata
from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

Index = tuple[str, str, list[str]]
SEARCHED = (
    ("patients", "name", "name_key", 324),
    ("patients", "patient_id", "id_key", 64),
    ("studies", "accession_number", "accession_key", 16),
)
OLD_INDEXES = (
    ("ix_studies_state_last", "studies", ["state", "last_received_at"]),
    ("ix_instances_series_pk", "instances", ["series_pk"]),
    ("ix_jobs_state_created", "jobs", ["state", "created_at"]),
    ("ix_jobs_study_pk", "jobs", ["study_pk"]),
)
NEW_INDEXES = (
    ("ix_studies_state_last", "studies", ["state", "last_received_at", "id"]),
    ("ix_studies_last", "studies", ["last_received_at", "id", "study_date"]),
    ("ix_studies_date", "studies", ["study_date", "last_received_at", "id"]),
    ("ix_series_modality_study", "series", ["modality", "study_pk"]),
    ("ix_instances_series_origin", "instances", ["series_pk", "origin"]),
    ("ix_jobs_created", "jobs", ["created_at", "id"]),
    ("ix_jobs_state_created", "jobs", ["state", "created_at", "id"]),
    ("ix_jobs_finished", "jobs", ["finished_at", "state"]),
    ("ix_jobs_state_priority", "jobs", ["state", "priority", "created_at"]),
    ("ix_jobs_study_created", "jobs", ["study_pk", "created_at", "pipeline", "state"]),
    ("ix_jobs_supersedes_id", "jobs", ["supersedes_id"]),
)
ROWS_AT_ONCE = 5000


def upgrade() -> None:
    for table, source, column, length in SEARCHED:
        op.add_column(table, sa.Column(column, _search_column(length), nullable=False, server_default=""))
        _fill(table, source, column, length)
        op.create_index(f"ix_{table}_{column}", table, [column])
    op.add_column("studies", sa.Column("decision", sa.JSON(), nullable=True))
    op.add_column("job_steps", sa.Column("worker", sa.String(length=64), nullable=False, server_default=""))
    _replace_indexes(OLD_INDEXES, NEW_INDEXES)
    op.create_table(
        "suspensions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("suspensions")
    _replace_indexes(NEW_INDEXES, OLD_INDEXES)
    op.drop_column("job_steps", "worker")
    op.drop_column("studies", "decision")
    for table, _source, column, _length in SEARCHED:
        op.drop_index(f"ix_{table}_{column}", table)
        op.drop_column(table, column)


def _replace_indexes(old: Iterable[Index], new: Iterable[Index]) -> None:
    for name, table, _columns in old:
        op.drop_index(name, table)
    for name, table, columns in new:
        op.create_index(name, table, columns)


def _search_column(length: int) -> sa.String:
    """Ordered by code points in every database."""
    is_postgres = op.get_bind().dialect.name == "postgresql"
    return sa.String(length=length, collation="C" if is_postgres else None)


def _fill(table: str, source: str, column: str, length: int) -> None:
    """The keys of the rows that are there, some thousand at a time."""
    connection, last = op.get_bind(), 0
    rows = sa.table(table, sa.column("id"), sa.column(source), sa.column(column))
    change = rows.update().where(rows.c.id == sa.bindparam("row")).values({column: sa.bindparam("key")})
    while True:
        query = sa.select(rows.c.id, rows.c[source]).where(rows.c.id > last).order_by(rows.c.id)
        found = connection.execute(query.limit(ROWS_AT_ONCE)).all()
        if not found:
            return
        connection.execute(change, [{"row": key, "key": _search_key(text)[:length]} for key, text in found])
        last = found[-1][0]


def _search_key(text: str) -> str:
    """Lower case, without accents, the parts of a person name as words, as db/search.py had it in this revision."""
    separated = text.translate(str.maketrans("^=,", "   "))
    plain = unicodedata.normalize("NFKD", separated).casefold()
    return " ".join("".join(one for one in plain if not unicodedata.combining(one)).split())
