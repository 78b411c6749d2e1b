"""A receiver at `::` serves IPv4 and IPv6, and knows peers by the address that they are registered with."""

import socket
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from pacs_agent.db import Peer
from tests.integration.siege import Siege
from tests.peers import pdus

pytestmark = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


def test_both_families_are_served_and_told_apart(tmp_path: Path) -> None:
    siege = Siege(tmp_path / "siege", host="::")
    with siege.running():
        siege.serves()
        with siege.attack() as attacker:
            answer = attacker.request(calling="STRANGER")
            assert answer is not None and answer.kind == pdus.ASSOCIATE_RJ
            assert siege.audited(attacker, "association.rejected").actor == f"STRANGER@{attacker.address}"
        with siege.database.writing() as session:
            session.add(Peer(ae_title="SIX", host="::1"))
        ae = AE("SIX")
        ae.add_requested_context(Verification)
        for host, established in (("::1", True), ("127.0.0.1", False)):
            association = ae.associate(host, siege.agent.port, ae_title=siege.agent.ae_title)
            assert association.is_established == established, host
            if established:
                assert association.send_c_echo().Status == 0
                association.release()
