"""Associations that stay open: what others see of them while they are, and that slow C-ECHOs keep no place."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.db import AuditEvent, Database, Peer
from pacs_agent.receive import Listener, places, still_open
from tests.peers import pdus
from tests.peers.attacker import Attacker, Rejected
from tests.unit.archive.made_instances import ct_slice, encoded


@pytest.fixture
def listener(database: Database, tmp_path: Path) -> Iterator[Listener]:
    with database.writing() as session:
        session.add(Peer(ae_title="SENDER", host="127.0.0.0/8"))
    dimse = {"port": 0, "max_associations": 2, "network_timeout_s": 5}
    listener = Listener(Settings(data_dir=tmp_path, dimse=dimse), database, Archive(database, tmp_path / "archive"))
    listener.start()
    yield listener
    listener.stop()


def test_a_study_is_seen_to_be_open_until_its_association_ends(listener: Listener, tmp_path: Path) -> None:
    image = ct_slice(1)
    uid, sent = str(image.StudyInstanceUID), encoded(image)
    with Attacker("127.0.0.1", listener.port) as peer:
        connection = peer.associate(calling="SENDER")
        assert still_open(tmp_path, [uid]) == {}
        connection.send(pdus.message(3, pdus.store_rq(sent.sop_instance_uid), sent.data_set))
        assert connection.status() == 0
        assert still_open(tmp_path, [uid]) == {uid: "SENDER@127.0.0.1"}
        connection.release()
    assert still_open(tmp_path, [uid]) == {}


def test_who_only_says_hello_gives_way_where_places_are_short(
    listener: Listener, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Attacker("127.0.0.1", listener.port) as peer:
        held = [peer.associate(calling="SENDER") for _ in range(2)]
        for connection in held:
            connection.send(pdus.message(1, pdus.echo_rq()))
            assert connection.status() == 0
        with pytest.raises(Rejected):
            peer.associate(calling="SENDER")
        monkeypatch.setattr(places, "IDLE_S", 0.0)
        newcomer = peer.associate(calling="SENDER")
        monkeypatch.undo()
        ending = held[0].ending()
        assert ending is not None
        assert ending.abort == (0, 0), "told, not cut off"
        held[1].send(pdus.message(1, pdus.echo_rq(2)))
        assert held[1].status() == 0, "one is enough"
        newcomer.release()
        held[1].release()
    with database.reading() as session:
        ends = [line.detail for line in session.scalars(select(AuditEvent).where(AuditEvent.action == "association"))]
    assert [one["reason"] for one in ends if one["end"] == "aborted by us"] == [
        "places were short, and it had brought no instance for long"
    ]
