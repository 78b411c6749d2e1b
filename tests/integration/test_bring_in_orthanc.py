"""Studies of a real Orthanc: found by C-FIND and QIDO-RS, fetched by C-GET, C-MOVE and WADO-RS."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from pacs_agent import bring_in
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.db import Database, Destination, Instance, Peer, Transfer, TransferKind, TransferState
from pacs_agent.deliver import Refused, echoed, probed
from pacs_agent.receive import Listener
from tests.peers import Orthanc
from tests.peers.studies import study_uid, write_plain_ct

pytestmark = [pytest.mark.peers]

SLICES = 12


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_plain_ct(tmp_path_factory.mktemp("study"), SLICES)


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory, files: list[Path]) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as pacs:
        pacs.upload(files)
        yield pacs


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"data_dir": tmp_path, "dimse": {"port": 0}, "deliver": {"timeout_s": 10}})


@pytest.fixture
def destinations(pacs: Orthanc, database: Database) -> dict[str, Destination]:
    node = {"host": "127.0.0.1", "port": pacs.port, "called_ae": pacs.ae_title}
    rows = {
        "node": Destination(name="node", kind="dimse", settings=node, enabled=True),
        "web": Destination(name="web", kind="stow", settings={"url": pacs.dicomweb_url}, enabled=True),
    }
    with database.writing() as session:
        session.add_all(rows.values())
    with database.reading() as session:
        return {name: session.get_one(Destination, name) for name in rows}


Fetch = Callable[[str, TransferKind, str], Transfer]


@pytest.fixture
def fetch(database: Database, settings: Settings, tmp_path: Path, destinations: dict[str, Destination]) -> Fetch:
    """Fetches a study to the end of its transfer."""
    process = bring_in.BringIn(settings, database, Archive(database, tmp_path / "archive"))

    def run(source: str, kind: TransferKind, study: str) -> Transfer:
        with database.writing() as session:
            begun = bring_in.begin_pull(session, destinations[source], study, kind, actor="ada@127.0.0.1")
        process.step()
        process.wait()
        with database.reading() as session:
            return session.get_one(Transfer, begun.id)

    return run


def stored(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Instance)) or 0


@pytest.mark.parametrize("source", ["node", "web"])
@pytest.mark.parametrize(
    "asked",
    [
        {"patient_name": "plain"},
        {"patient_name": "Plain^Ph*"},
        {"patient_id": "PLAIN", "modality": "ct"},
        {"from_day": "2026-01-01", "to_day": "2026-01-01"},
        {"from_day": "20251231"},
    ],
)
def test_a_study_is_found(
    destinations: dict[str, Destination], settings: Settings, files: list[Path], source: str, asked: dict[str, str]
) -> None:
    (found,) = bring_in.find_studies(destinations[source], settings, bring_in.StudyQuery(**asked))
    assert found.study_instance_uid == study_uid(files)
    assert (found.patient_name, found.patient_id, found.modalities) == ("Plain^Phantom", "PLAIN", "CT")
    assert (found.study_date, found.instances) == ("20260101", SLICES)


@pytest.mark.parametrize("source", ["node", "web"])
def test_what_is_not_there_is_not_found(destinations: dict[str, Destination], settings: Settings, source: str) -> None:
    assert bring_in.find_studies(destinations[source], settings, bring_in.StudyQuery(patient_id="NOBODY")) == []


@pytest.mark.parametrize(("source", "kind"), [("node", TransferKind.C_GET), ("web", TransferKind.WADO)])
def test_a_study_is_fetched_and_fetched_again_nothing_comes_twice(
    fetch: Fetch, database: Database, files: list[Path], source: str, kind: TransferKind
) -> None:
    for _ in range(2):
        transfer = fetch(source, kind, study_uid(files))
        assert (transfer.state, transfer.error) == (TransferState.DONE, "")
        assert (transfer.done, transfer.expected, transfer.refused) == (SLICES, SLICES, 0)
        assert stored(database) == SLICES


def known_move_destination(pacs: Orthanc, **node: Any) -> None:
    requests.put(f"{pacs.url}/modalities/pacs-agent", json=node, timeout=10).raise_for_status()


def test_a_study_is_sent_to_our_listener(
    fetch: Fetch, pacs: Orthanc, database: Database, settings: Settings, files: list[Path], tmp_path: Path
) -> None:
    listener = Listener(settings, database, Archive(database, tmp_path / "archive"))
    listener.start()
    known_move_destination(pacs, AET="PACSAGENT", Host="127.0.0.1", Port=listener.port)
    try:
        stranger = fetch("node", TransferKind.C_MOVE, study_uid(files))
        assert stranger.state == TransferState.FAILED
        assert stored(database) == 0
        with database.writing() as session:
            session.add(Peer(ae_title=pacs.ae_title))
        transfer = fetch("node", TransferKind.C_MOVE, study_uid(files))
    finally:
        listener.stop()
    assert (transfer.state, transfer.error) == (TransferState.DONE, "")
    assert stored(database) == SLICES
    with database.reading() as session:
        peer = session.get_one(Peer, pacs.ae_title)
    assert peer.last_seen_at is not None


def test_a_peer_that_does_not_know_us_as_a_destination_says_what_to_do(
    fetch: Fetch, pacs: Orthanc, files: list[Path]
) -> None:
    known_move_destination(pacs, AET="SOMEBODY", Host="127.0.0.1", Port=1)
    try:
        transfer = fetch("node", TransferKind.C_MOVE, study_uid(files))
    finally:
        known_move_destination(pacs, AET="PACSAGENT", Host="127.0.0.1", Port=11112)
    assert transfer.state == TransferState.FAILED
    assert "PACSAGENT" in transfer.error


@pytest.mark.parametrize(
    ("source", "kind"), [("node", TransferKind.C_GET), ("node", TransferKind.C_MOVE), ("web", TransferKind.WADO)]
)
def test_a_study_that_is_not_there_fails_in_words(fetch: Fetch, source: str, kind: TransferKind) -> None:
    transfer = fetch(source, kind, "1.2.3.4.5")
    assert transfer.state == TransferState.FAILED
    assert transfer.error


def test_the_real_answer_of_a_test_is_told(
    destinations: dict[str, Destination], pacs: Orthanc, settings: Settings
) -> None:
    node, web = (probed(destinations[name], settings) for name in ("node", "web"))
    assert node.ok and "0x0000" in node.words and " ms" in node.words
    assert web.ok and "HTTP 200" in web.words
    wrong = echoed("127.0.0.1", pacs.port, "NOT_ORTHANC", settings)
    assert wrong.ok or "another AE title" in wrong.words
    with pytest.raises(Refused, match="this machine"):
        outside = settings.model_copy(update={"web": settings.web.model_copy(update={"outbound_loopback": False})})
        bring_in.find_studies(destinations["web"], outside, bring_in.StudyQuery(patient_id="PLAIN"))
