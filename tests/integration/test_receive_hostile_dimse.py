"""Hostile command sets and identities at a running receiver (hostile inputs e and 14 to 17)."""

from collections.abc import Iterator

import pytest
from pydicom.uid import generate_uid

from tests.integration.siege import Siege
from tests.peers import pdus
from tests.peers.attacker import Attacker
from tests.peers.pdus import ABORT, CT, NO_DATA_SET
from tests.unit.archive.made_instances import ct_slice, encoded

pytestmark = pytest.mark.alone
SLICE = encoded(ct_slice(999, study="1.2.8", series="1.2.8.1"))
CALLING_UNKNOWN, CALLED_UNKNOWN = (1, 1, 3), (1, 1, 7)
"""Result, source and reason of A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
MISMATCH, UNRECOGNISED = 0xA900, 0x0211
MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    with Siege(tmp_path_factory.mktemp("siege")).running() as siege:
        yield siege


def rejection(attacker: Attacker, **titles: bytes) -> tuple[int, int, int]:
    answer = attacker.request(**titles)
    assert answer is not None
    return answer.rejection


def aborted(attacker: Attacker, sent: bytes, fault: str) -> None:
    """An association on which this is sent is aborted."""
    association = attacker.associate()
    association.send(sent)
    answer = association.ending()
    assert answer is not None and answer.kind == ABORT, fault


WRONG_TITLES = [
    b"",
    b"A\\B",
    b"HOSTILE\n",
    b"HO\x00STILE",
    b"\x1b[2J\x1b]0;x\x07",
    b"\xff\xfe\x80",
    b"../../x",
    b"1.2.3/4",
    b"hostile",
    b"HOSTILEHOSTILEHO",
    b"<script>alert(1)",
    b"'; DROP TABLE p;",
    b"=cmd|' /C calc'!",
    b"{{7*7}}$(id)`id`",
]


def test_14_and_25_calling_ae_titles_that_are_none_are_rejected_and_harmless_in_the_audit_trail(siege: Siege) -> None:
    with siege.attack() as attacker:
        for title in WRONG_TITLES:
            assert rejection(attacker, calling=title) == CALLING_UNKNOWN, title
        siege.serves()
        for line in siege.told_of(attacker):
            assert line.actor.isprintable()
            assert line.detail["diagnostic"] == 3
    assert len(siege.told_of(attacker)) == len(WRONG_TITLES)


def test_14_spaces_around_an_ae_title_mean_nothing(siege: Siege) -> None:
    with siege.attack(told=False) as attacker:
        attacker.associate(calling=b"  HOSTILE ", called=b" PACSAGENT").release()


def test_15_another_called_ae_title_is_rejected(siege: Siege) -> None:
    with siege.attack() as attacker:
        for called in (b"OTHER", b"", b"PACSAGENT\x00", b"pacsagent", b"PACS\\AGENT"):
            assert rejection(attacker, called=called) == CALLED_UNKNOWN, called
        siege.serves()


def test_16_sop_class_of_another_context_is_refused(siege: Siege) -> None:
    with siege.attack() as attacker:
        association = attacker.associate()
        uid = SLICE.sop_instance_uid
        assert association.store(3, SLICE.data_set, uid, sop_class_uid=MR) == MISMATCH
        assert association.store(3, SLICE.data_set, uid, sop_class_uid="") == MISMATCH
        assert association.store(3, SLICE.data_set, uid, sop_class_uid="1.2/../3") == MISMATCH
        line = siege.audited(attacker, "instance.refused")
        assert line.actor == f"HOSTILE@{attacker.address}"
        association.release()
    assert siege.stored(uid) is None


OUT_OF_ORDER = {
    "context never proposed": pdus.message(9, pdus.store_rq("1.2.3"), SLICE.data_set),
    "context zero": pdus.message(0, pdus.echo_rq()),
    "data set without a command": pdus.p_data(pdus.pdv(3, SLICE.data_set[:100])),
    "data set within a command": pdus.p_data(
        pdus.pdv(3, pdus.store_rq("1.2.3")[:20], command=True, last=False), pdus.pdv(3, SLICE.data_set[:100])
    ),
    "command within a data set": pdus.message(3, pdus.store_rq("1.2.3"))
    + pdus.p_data(pdus.pdv(3, SLICE.data_set[:100], last=False), pdus.pdv(3, pdus.echo_rq(), command=True)),
    "data set on another context": pdus.message(3, pdus.store_rq("1.2.3")) + pdus.p_data(pdus.pdv(1, b"")),
}


def test_16_command_and_data_set_out_of_order_abort_the_association(siege: Siege) -> None:
    with siege.attack() as attacker:
        for order, sent in OUT_OF_ORDER.items():
            aborted(attacker, sent, order)


def test_16_a_store_on_the_context_of_verification_is_refused(siege: Siege) -> None:
    with siege.attack() as attacker:
        association = attacker.associate()
        association.send(pdus.message(1, pdus.store_rq(SLICE.sop_instance_uid), SLICE.data_set))
        assert association.status() in (MISMATCH, UNRECOGNISED)
        association.release()
    assert siege.stored(SLICE.sop_instance_uid) is None


def test_17_store_without_a_data_set_stores_nothing(siege: Siege) -> None:
    before = siege.instances()
    with siege.attack() as attacker:
        aborted(attacker, pdus.message(3, pdus.store_rq("1.2.3", data_set=NO_DATA_SET)), "no data set")
    assert siege.instances() == before + 1, "that of the well-behaved peer"


NOT_OURS = {
    "C-FIND": 0x0020,
    "C-GET": 0x0010,
    "C-MOVE": 0x0021,
    "N-EVENT-REPORT": 0x0100,
    "N-GET": 0x0110,
    "N-SET": 0x0120,
    "N-ACTION": 0x0130,
    "N-CREATE": 0x0140,
    "N-DELETE": 0x0150,
    "nothing at all": 0x7ABC,
}


def test_17_services_that_a_storage_context_has_not_are_unrecognised(siege: Siege) -> None:
    with siege.attack(told=False) as attacker:
        association = attacker.associate()
        for service, field in NOT_OURS.items():
            command = {0x0002: CT, 0x0100: field, 0x0110: 7, 0x0800: NO_DATA_SET}
            association.send(pdus.message(3, pdus.command_set(command)))
            assert association.status() == UNRECOGNISED, service
            association.send(pdus.message(3, pdus.command_set(command | {0x0800: 0}), SLICE.data_set))
            assert association.status() == UNRECOGNISED, f"{service} with a data set"
        siege.serves()
        association.release()


@pytest.mark.parametrize("message_id", [0, 65535])
def test_17_any_message_id_is_given_back(siege: Siege, message_id: int) -> None:
    with siege.attack(told=False) as attacker:
        association = attacker.associate()
        association.send(pdus.message(1, pdus.echo_rq(message_id)))
        answer = association.answer()
        assert answer is not None
        assert answer.command[0x0120] == message_id.to_bytes(2, "little")
        association.release()


UID = str(generate_uid())
BROKEN_COMMANDS = {
    "empty": b"",
    "half a head": pdus.echo_rq()[:5],
    "cut off": pdus.echo_rq()[:-1],
    "element past the end": pdus.command_set({0x0100: 1})[:-2] + b"\xff\xff\xff\x7f",
    "message id of four bytes": pdus.store_rq(UID, e0110=bytes(4)),
    "no message id": pdus.command_set({0x0002: CT, 0x0100: 1, 0x0800: 1, 0x1000: UID}),
    "no command field": pdus.command_set({0x0002: CT, 0x0110: 1, 0x0800: 0x0101}),
    "no data set type": pdus.command_set({0x0002: CT, 0x0100: 1, 0x0110: 1}),
    "elements of a data set": SLICE.data_set,
    "an element twice": pdus.echo_rq() + pdus.echo_rq()[12:],
    "a response to nothing": pdus.command_set({0x0100: 0x8001, 0x0120: 1, 0x0800: 0x0101, 0x0900: 0}),
    "explicit VR": b"\x00\x00\x00\x01US\x02\x00\x30\x00",
}


def test_17_broken_command_sets_abort_the_association(siege: Siege) -> None:
    with siege.attack() as attacker:
        for fault, command in BROKEN_COMMANDS.items():
            aborted(attacker, pdus.p_data(pdus.pdv(3, command, command=True)), fault)
        siege.serves()


def test_17_a_lie_about_the_group_length_changes_nothing(siege: Siege) -> None:
    command = {0x0002: pdus.VERIFICATION, 0x0100: 0x0030, 0x0110: 1, 0x0800: NO_DATA_SET}
    with siege.attack(told=False) as attacker:
        association = attacker.associate()
        for lie in (0, 1, 0xFFFFFFFF):
            association.send(pdus.message(1, pdus.command_set(command, group_length=lie)))
            assert association.status() == 0
        association.release()


def test_e_uids_that_are_paths_reach_no_path(siege: Siege) -> None:
    paths = ["../../x", "..", "1.2.3/4", "1.2.3\\..\\4", "/etc/passwd", "1.2." + "3" * 300]
    folder = siege.data_dir.parent
    before = sorted(path for path in folder.rglob("*") if path.suffix != ".dcm")
    with siege.attack() as attacker:
        association = attacker.associate()
        for path in paths:
            assert association.store(3, SLICE.data_set, path) == MISMATCH, path
        siege.serves()
        association.release()
    assert sorted(path for path in folder.rglob("*") if path.suffix != ".dcm") == before
