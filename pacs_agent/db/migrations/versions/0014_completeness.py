"""by what a study was found complete."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("studies", sa.Column("expected_instances", sa.Integer(), nullable=True))
    op.add_column("studies", sa.Column("expected_from", sa.String(length=160), nullable=False, server_default=""))
    op.add_column("studies", sa.Column("complete_by", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    for column in ("complete_by", "expected_from", "expected_instances"):
        op.drop_column("studies", column)
