"""Which results have arrived: those that a destination said it stored; where it is asked, those that it confirmed.

What a destination does not take, and can do without, keeps nothing waiting.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from pacs_agent.db import Delivery, DeliveryState, Destination


def has_arrived(session: Session) -> ColumnElement[bool]:
    """The condition of a delivery that arrived.

    A destination that is set to confirm, by a query or by storage commitment, has an object only when it confirmed it:
    what it merely took may be gone, and what we hold is then the only one. A destination that was removed can confirm
    nothing any more.
    """
    confirming = [row.name for row in session.scalars(select(Destination)) if confirms(row.settings)]
    stored = and_(Delivery.state == DeliveryState.STORED, Delivery.destination.not_in(confirming))
    return or_(Delivery.state.in_((DeliveryState.CONFIRMED, DeliveryState.LEFT_OUT)), stored)


def confirms(settings: Mapping[str, Any]) -> bool:
    """Whether a destination is set to confirm what it took.

    Older rows have `query: true` for what is `confirm: query` today.
    """
    return settings.get("confirm", "none") != "none" or bool(settings.get("query"))
