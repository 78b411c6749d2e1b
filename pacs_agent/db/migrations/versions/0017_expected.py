"""What the rules of a job expect of its study, and which series met it."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("expected", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "expected")
