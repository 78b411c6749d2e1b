"""API tokens, and accounts of an identity provider."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("provider", sa.String(length=255), nullable=True))
    op.add_column("users", sa.Column("provider_subject", sa.String(length=255), nullable=True))
    op.create_index("ix_users_provider_subject", "users", ["provider", "provider_subject"], unique=True)
    op.create_index("ix_users_created_login", "users", ["created_at", "login"], unique=False)
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )


def downgrade() -> None:
    op.drop_table("api_tokens")
    op.drop_index("ix_users_created_login", table_name="users")
    op.drop_index("ix_users_provider_subject", table_name="users")
    with op.batch_alter_table("users") as batch:
        batch.drop_column("provider_subject")
        batch.drop_column("provider")
