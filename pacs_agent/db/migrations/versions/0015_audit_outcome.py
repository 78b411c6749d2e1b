"""The audit trail is searched by outcome without a scan."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_events_outcome_at", "audit_events", ["outcome", "at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_audit_events_outcome_at", table_name="audit_events")
