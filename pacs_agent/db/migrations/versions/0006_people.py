"""API tokens, and accounts of an identity provider."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds what the console needs."""


def downgrade() -> None:
    """Takes it away again."""
