"""certificates of peers."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("peers") as peers:
        peers.add_column(sa.Column("certificate_name", sa.String(length=255), nullable=False, server_default=""))
        peers.add_column(sa.Column("tls_only", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("peers") as peers:
        peers.drop_column("tls_only")
        peers.drop_column("certificate_name")
