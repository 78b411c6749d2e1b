"""Probes of life and readiness for supervisors and load balancers, and figures for Prometheus. Nothing of patients."""

from typing import Any

from flask import Blueprint, Response, jsonify
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role, needs, open_to_all
from pacs_agent.console.remembered import Remembered
from pacs_agent.db import Database, Study, is_at_this_version
from pacs_agent.ops.figures import workers_now
from pacs_agent.ops.listening import listener_answers
from pacs_agent.ops.metrics import CONTENT_TYPE, Metrics

ASKED_AGAIN_S = 5.0
"""The listener is asked no more often, however often anybody asks us."""


def health_blueprint(settings: Settings, database: Database, archive: Archive) -> Blueprint:
    """`/healthz`, `/readyz` and `/metrics`. The first two ask for no login."""
    blueprint = Blueprint("health", __name__)
    _add_probes(blueprint, settings, database, archive)
    _add_metrics(blueprint, Metrics(settings, database))
    return blueprint


def _add_probes(blueprint: Blueprint, settings: Settings, database: Database, archive: Archive) -> None:
    listens = Remembered(lambda: listener_answers(settings.dimse), ASKED_AGAIN_S)

    @blueprint.get("/healthz")
    @open_to_all
    def healthz() -> Any:
        """200 while the process serves: what fails this is to be started again."""
        return jsonify(status="alive")

    @blueprint.get("/readyz")
    @open_to_all
    def readyz() -> Any:
        """200 when requests can be served: what fails this gets none, but is left running.

        The listener and the workers are told besides and decide nothing: the console must be reachable without them.
        """
        at_version, workers = _database(settings, database)
        checks = {
            "database": at_version is not None,
            "schema": bool(at_version),
            "archive": archive.files.is_writable(),
        }
        ready = all(checks.values())
        besides = {"listener": listens(), "workers": workers}
        status = "ready" if ready else "not ready"
        return jsonify(status=status, checks=checks, besides=besides), 200 if ready else 503


def _database(settings: Settings, database: Database) -> tuple[bool | None, int]:
    """Whether its tables are of this version, None when it does not answer; and how many workers live."""
    try:
        with database.reading() as session:
            session.execute(select(Study.id).limit(1))
            return is_at_this_version(session), len(workers_now(session, settings.work.takeover_s))
    except SQLAlchemyError:
        return None, 0


def _add_metrics(blueprint: Blueprint, metrics: Metrics) -> None:
    @blueprint.get("/metrics", endpoint="metrics")
    @needs(*Role)
    def scrape() -> Response:
        """For any login or token, and for everybody on this machine (`guard.FIGURES`)."""
        return Response(metrics.scrape(), content_type=CONTENT_TYPE)
