"""The audit trail as a chain of digests."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds what the console needs."""


def downgrade() -> None:
    """Takes it away again."""
