"""Which segmenter measured for a job, and what a result lacks."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("lacks", sa.Text(), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("segmenter", sa.String(length=128), nullable=False, server_default=""))
    op.create_index("ix_jobs_segmenter_created", "jobs", ["segmenter", "created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_jobs_segmenter_created", table_name="jobs")
    for column in ("segmenter", "lacks"):
        op.drop_column("jobs", column)
