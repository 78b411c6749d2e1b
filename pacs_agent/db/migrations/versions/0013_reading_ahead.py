"""what was encoded ahead of completeness."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "series_ahead",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_pk", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("encoded", sa.Integer(), nullable=False),
        sa.Column("undecodable", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["study_pk"], ["studies.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("study_pk", "series_instance_uid"),
    )
    op.create_index("ix_series_ahead_changed", "series_ahead", ["changed_at"])
    op.create_index("ix_series_ahead_settled", "series_ahead", ["settled_at", "id"])


def downgrade() -> None:
    op.drop_table("series_ahead")
