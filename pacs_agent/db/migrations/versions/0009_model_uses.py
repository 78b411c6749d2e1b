"""Models in shadow, recalls, and what was put in and said over time."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Adds what the console needs."""


def downgrade() -> None:
    """Takes it away again."""
