"""Runs the migrations on the connection that `pacs_agent.db.upgrade` hands over."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from pacs_agent.db.models import Base, UtcDateTime


def _render_item(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Own column types as what the database sees, so that an old migration never imports new code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    render_item=_render_item,
)
with context.begin_transaction():
    context.run_migrations()
