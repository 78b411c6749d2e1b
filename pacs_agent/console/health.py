"""Probes of life and readiness, for supervisors and load balancers."""

from typing import Any

from flask import Blueprint, jsonify
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import open_to_all
from pacs_agent.db import Database, Study


def health_blueprint(_settings: Settings, database: Database, archive: Archive) -> Blueprint:
    """`/healthz` and `/readyz`. They ask for no login, and tell nothing of patients."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    @open_to_all
    def healthz() -> Any:
        return jsonify(status="alive")

    @blueprint.get("/readyz")
    @open_to_all
    def readyz() -> Any:
        checks = {"database": _answers(database), "archive": archive.files.is_writable()}
        ready = all(checks.values())
        return jsonify(status="ready" if ready else "not ready", checks=checks), 200 if ready else 503

    return blueprint


def _answers(database: Database) -> bool:
    try:
        with database.reading() as session:
            session.execute(select(Study.id).limit(1))
    except SQLAlchemyError:
        return False
    return True
