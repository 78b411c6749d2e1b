"""Transfers are asked for by their study at each completion: whether it was fetched as a prior."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_transfers_study_instance_uid", "transfers", ["study_instance_uid"])


def downgrade() -> None:
    op.drop_index("ix_transfers_study_instance_uid", "transfers")
