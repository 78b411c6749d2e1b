"""storage commitment, both ways."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("peers") as peers:
        peers.add_column(sa.Column("commitment_port", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("studies", sa.Column("commitment_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "commitments_owed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("committed", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("over_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ae_title", "transaction_uid"),
    )
    op.create_index("ix_commitments_owed_state_next", "commitments_owed", ["state", "next_attempt_at"])
    op.create_table(
        "commitments_asked",
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("called_ae", sa.String(length=16), nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("committed", sa.JSON(), nullable=False),
        sa.Column("failed", sa.JSON(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("transaction_uid"),
    )
    op.create_index("ix_commitments_asked_job", "commitments_asked", ["job_id", "destination", "asked_at"])


def downgrade() -> None:
    op.drop_table("commitments_asked")
    op.drop_table("commitments_owed")
    op.drop_column("studies", "commitment_asked_at")
    with op.batch_alter_table("peers") as peers:
        peers.drop_column("commitment_port")
