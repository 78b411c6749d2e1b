"""the audit trail as a chain of digests, which the database itself keeps from being changed."""

import hashlib
import json
from datetime import UTC
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SEALED_AT_ONCE = 500
SAID = ("id", "at", "actor", "action", "outcome", "subject", "detail")
REFUSED = "the audit trail is not changed afterwards"


def upgrade() -> None:
    op.add_column("audit_events", sa.Column("position", sa.Integer(), nullable=True))
    op.add_column("audit_events", sa.Column("digest", sa.String(length=64), nullable=True))
    op.create_index("ix_audit_events_position", "audit_events", ["position"], unique=True)
    op.create_index("ix_audit_events_actor_at", "audit_events", ["actor", "at"], unique=False)
    op.create_index("ix_audit_events_subject_at", "audit_events", ["subject", "at"], unique=False)
    chain = op.create_table(
        "audit_chain",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(chain, [{"id": 1, "position": 0, "digest": ""}])
    _seal_all(op.get_bind())
    for statement in _guards_of_postgres() if _is_postgres() else _guards_of_sqlite():
        op.execute(statement)


def _seal_all(connection: sa.Connection) -> None:
    """Seals what was written before there was a chain, as `ops.audit_chain` did at this revision and must ever do."""
    events = sa.table(
        "audit_events",
        *(sa.column(name, sa.String) for name in ("actor", "action", "outcome", "subject", "digest")),
        *(sa.column(name, sa.Integer) for name in ("id", "position")),
        *(sa.column("at", sa.DateTime(timezone=True)), sa.column("detail", sa.JSON)),
    )
    said = sa.select(*(events.c[name] for name in SAID)).order_by(events.c.id).limit(SEALED_AT_ONCE)
    seal = sa.update(events).where(events.c.id == sa.bindparam("row"))
    seal = seal.values(position=sa.bindparam("at_position"), digest=sa.bindparam("sealed_as"))
    position, digest = 0, ""
    while rows := connection.execute(said.where(events.c.position.is_(None))).all():
        seals = []
        for row in rows:
            position += 1
            digest = _digest(position, digest, row)
            seals.append({"row": row.id, "at_position": position, "sealed_as": digest})
        connection.execute(seal, seals)
    connection.execute(sa.text("UPDATE audit_chain SET position = :p, digest = :d"), {"p": position, "d": digest})


def _digest(position: int, before: str, row: sa.Row[Any]) -> str:
    at = row.at.astimezone(UTC) if row.at.tzinfo else row.at.replace(tzinfo=UTC)
    said = [position, before, row.id, at.isoformat(timespec="microseconds"), *row[2:]]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def downgrade() -> None:
    if _is_postgres():
        for table, name in (("audit_events", "kept"), ("audit_events", "whole"), ("audit_chain", "kept")):
            op.execute(f"DROP TRIGGER {table}_{name} ON {table}")
        op.execute("DROP FUNCTION audit_events_kept()")
        op.execute("DROP FUNCTION audit_chain_kept()")
    else:
        for name in ("events_unchanged", "events_undeleted", "chain_forward", "chain_undeleted"):
            op.execute(f"DROP TRIGGER audit_{name}")
    op.drop_table("audit_chain")
    for name in ("subject_at", "actor_at", "position"):
        op.drop_index(f"ix_audit_events_{name}", table_name="audit_events")
    with op.batch_alter_table("audit_events") as batch:
        batch.drop_column("digest")
        batch.drop_column("position")


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _guards_of_sqlite() -> list[str]:
    """A seal is given once; what a row says never changes; a sealed row stays; the chain only grows."""
    said = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in SAID)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
    return [
        "CREATE TRIGGER audit_events_unchanged BEFORE UPDATE ON audit_events "
        f"WHEN OLD.position IS NOT NULL OR {said} {refuse}",
        f"CREATE TRIGGER audit_events_undeleted BEFORE DELETE ON audit_events WHEN OLD.position IS NOT NULL {refuse}",
        "CREATE TRIGGER audit_chain_forward BEFORE UPDATE ON audit_chain "
        f"WHEN NEW.position <= OLD.position OR NEW.id <> OLD.id {refuse}",
        f"CREATE TRIGGER audit_chain_undeleted BEFORE DELETE ON audit_chain {refuse}",
    ]


def _guards_of_postgres() -> list[str]:
    """As of SQLite; TRUNCATE is refused too. JSON has no equality in Postgres, its text has."""
    columns = [f"{name}::text" if name == "detail" else name for name in SAID]
    said = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in columns)
    refuse = f"RAISE EXCEPTION '{REFUSED}';"
    return [
        f"""CREATE FUNCTION audit_events_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF TG_OP = 'TRUNCATE' THEN {refuse} END IF;
            IF OLD.position IS NOT NULL THEN {refuse} END IF;
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            IF {said} THEN {refuse} END IF;
            RETURN NEW; END $$""",
        "CREATE TRIGGER audit_events_kept BEFORE UPDATE OR DELETE ON audit_events "
        "FOR EACH ROW EXECUTE FUNCTION audit_events_kept()",
        "CREATE TRIGGER audit_events_whole BEFORE TRUNCATE ON audit_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_events_kept()",
        f"""CREATE FUNCTION audit_chain_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF TG_OP = 'DELETE' THEN {refuse} END IF;
            IF NEW.position <= OLD.position OR NEW.id <> OLD.id THEN {refuse} END IF;
            RETURN NEW; END $$""",
        "CREATE TRIGGER audit_chain_kept BEFORE UPDATE OR DELETE ON audit_chain "
        "FOR EACH ROW EXECUTE FUNCTION audit_chain_kept()",
    ]
