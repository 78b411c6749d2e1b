"""Hostile data sets at a running receiver (hostile inputs g and 18 to 27): each is refused, or stored as it is."""

import itertools
import json
import unicodedata
import zlib
from collections.abc import Iterator
from struct import pack
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import generate_uid
from sqlalchemy import select

from pacs_agent.db import Patient
from tests.integration.siege import Siege
from tests.peers import pdus
from tests.peers.attacker import Attacker, Connection
from tests.peers.pdus import CT, EXPLICIT, IMPLICIT, Proposed
from tests.unit.archive.made_instances import ct_slice, encoded

pytestmark = pytest.mark.alone
BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
CONTEXTS = [
    Proposed(number, CT, (uid,)) for number, uid in ((1, EXPLICIT), (3, IMPLICIT), (5, BIG_ENDIAN), (7, DEFLATED))
] + [Proposed(9, CT, (JPEG_LOSSLESS,))]
CONTEXT_OF = {context.transfer_syntaxes[0]: context.id for context in CONTEXTS}

STORED, CANNOT_UNDERSTAND, MISMATCH, REUSED = 0x0000, 0xC000, 0xA900, 0xA901
BOMB_BYTES = 900 << 20
MODEST_BYTES = 300 << 20
"""Much less than one of the bombs, and more than two processes take that count them at the same time."""


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    with Siege(tmp_path_factory.mktemp("siege")).running() as siege:
        yield siege


def associate(attacker: Attacker) -> Connection:
    return attacker.associate(CONTEXTS)


def slice_and_uid(**others: Any) -> tuple[Dataset, str]:
    """A slice of a study of its own, unless `others` say otherwise, and its SOP Instance UID."""
    uid = str(generate_uid())
    own = {"SOPInstanceUID": uid, "StudyInstanceUID": f"{uid[:60]}.1", "SeriesInstanceUID": f"{uid[:60]}.2"}
    return ct_slice(**(own | others)), uid


def long_element(group: int, element: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    return pack("<HH2sHL", group, element, vr, 0, len(value) if length is None else length) + value


def item(value: bytes, length: int | None = None) -> bytes:
    return pack("<HHL", 0xFFFE, 0xE000, len(value) if length is None else length) + value


def with_first(data_set: Dataset, element: bytes) -> bytes:
    """The explicit encoding with an element of group 0009 put where it belongs in the order."""
    whole = encoded(data_set, EXPLICIT).data_set
    behind = whole.index(pack("<HH", 0x0010, 0x0010))
    return whole[:behind] + element + whole[behind:]


def refused(siege: Siege, attacker: Attacker, status: int) -> None:
    """The refusal's audit line, without patient data."""
    line = siege.audited(attacker, "instance.refused")
    assert line.actor == f"HOSTILE@{attacker.address}"
    assert line.detail["status"] == f"{status:04X}"
    assert "Doe" not in json.dumps(line.detail)


MALFORMED = ["../../x", "1.2.3/4", "1.2.3\x00.4", "1." + "2" * 64, "1..2", "", "1.2.3\n4"]
NAMES_OF_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@pytest.mark.parametrize("keyword", NAMES_OF_UIDS)
def test_18_malformed_uids_are_refused(siege: Siege, keyword: str) -> None:
    with siege.attack() as attacker:
        association = associate(attacker)
        before = siege.instances()
        for malformed in MALFORMED:
            data_set, uid = slice_and_uid()
            whole = _replaced(encoded(data_set).data_set, data_set, keyword, _even(malformed))
            announced = malformed if keyword == "SOPInstanceUID" else uid
            assert association.store(1, whole, announced) == MISMATCH, malformed
            refused(siege, attacker, MISMATCH)
        siege.serves()
        association.release()
    assert siege.instances() == before + 2, "the two of the well-behaved peer"


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


@pytest.mark.parametrize("keyword", NAMES_OF_UIDS)
def test_18_missing_uids_are_refused(siege: Siege, keyword: str) -> None:
    with siege.attack() as attacker:
        data_set, uid = slice_and_uid()
        association = associate(attacker)
        delattr(data_set, keyword)
        assert association.store(1, _without_meta(data_set), uid) == MISMATCH
        refused(siege, attacker, MISMATCH)
        association.release()


def _without_meta(data_set: Dataset) -> bytes:
    """The explicit encoding of a data set that no DICOM file could hold."""
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, data_set)
    return bytes(stream.getvalue())


def test_g_another_instance_than_announced_is_refused(siege: Siege) -> None:
    with siege.attack() as attacker:
        data_set, uid = slice_and_uid()
        association = associate(attacker)
        assert association.store(1, encoded(data_set).data_set, f"{uid[:60]}.9") == MISMATCH
        refused(siege, attacker, MISMATCH)
        siege.serves()
        association.release()
    assert siege.stored(uid) is None


def test_19_known_uid_with_other_content_is_refused_and_the_first_stays(siege: Siege) -> None:
    with siege.attack() as attacker:
        first, uid = slice_and_uid()
        association = associate(attacker)
        assert association.store(1, encoded(first).data_set, uid) == STORED
        kept = siege.stored(uid)
        first.StudyDescription = "another"
        assert association.store(1, encoded(first).data_set, uid) == REUSED
        refused(siege, attacker, REUSED)
        association.release()
    after = siege.stored(uid)
    assert kept is not None and after is not None and kept.digest == after.digest


@pytest.mark.parametrize(
    "contradiction",
    [
        pytest.param({"PatientID": "P2", "PatientName": "Roe^Richard"}, id="study-of-another-patient"),
        pytest.param({"StudyInstanceUID": "1.2.77.9"}, id="series-in-two-studies"),
    ],
)
def test_19_instances_that_contradict_the_index_are_kept_apart(siege: Siege, contradiction: dict[str, str]) -> None:
    with siege.attack() as attacker:
        first, uid = slice_and_uid()
        second, other = slice_and_uid(
            **{name: str(first[name].value) for name in ("StudyInstanceUID", "SeriesInstanceUID")} | contradiction
        )
        association = associate(attacker)
        assert association.store(1, encoded(first).data_set, uid) == STORED
        assert association.store(1, encoded(second).data_set, other) == STORED
        assert siege.audited(attacker, "instance.quarantined").subject == other
        association.release()
    assert siege.stored(other) is None


LENGTHS = {
    "past-the-end": long_element(0x0009, 0x1001, b"OB", b"abcd", length=0x7FFFFFFF),
    "sequence-past-the-end": long_element(0x0009, 0x1001, b"SQ", item(b"", length=0x7FFFFFFF), length=8),
    "undefined-without-delimiter": long_element(0x0009, 0x1001, b"SQ", b"", length=0xFFFFFFFF),
    "undefined-text": long_element(0x0009, 0x1001, b"UT", b"", length=0xFFFFFFFF),
    "odd-and-shifted": long_element(0x0009, 0x1001, b"OB", b"abcd", length=3),
}


def test_20_lengths_that_lie_are_refused(siege: Siege) -> None:
    with siege.attack() as attacker:
        association = associate(attacker)
        for lie, element in LENGTHS.items():
            data_set, uid = slice_and_uid()
            assert association.store(1, with_first(data_set, element), uid) == CANNOT_UNDERSTAND, lie
            assert siege.stored(uid) is None
        refused(siege, attacker, CANNOT_UNDERSTAND)
        siege.serves()
        association.release()


def test_20_an_odd_length_that_is_true_is_stored_as_it_is(siege: Siege) -> None:
    with siege.attack(told=False) as attacker:
        data_set, uid = slice_and_uid()
        association = associate(attacker)
        sent = with_first(data_set, long_element(0x0009, 0x1001, b"OB", b"abc"))
        assert association.store(1, sent, uid) == STORED
        association.release()
    _is_stored_as_sent(siege, uid, sent)


def _is_stored_as_sent(siege: Siege, uid: str, sent: bytes) -> None:
    assert _file(siege, uid).endswith(sent)


def _file(siege: Siege, uid: str) -> bytes:
    kept = siege.stored(uid)
    assert kept is not None
    return (siege.data_dir / "archive" / kept.digest[:2] / f"{kept.digest}.dcm").read_bytes()


def test_21_deep_nesting_is_refused(siege: Siege) -> None:
    head = pack("<HH2sHL", 9, 0x1001, b"SQ", 0, 0xFFFFFFFF) + item(b"", 0xFFFFFFFF)
    with siege.attack() as attacker:
        data_set, uid = slice_and_uid()
        association = associate(attacker)
        assert association.store(1, with_first(data_set, head * 10_000), uid) == CANNOT_UNDERSTAND
        refused(siege, attacker, CANNOT_UNDERSTAND)
        association.release()


@pytest.mark.slow
@pytest.mark.parametrize(("items", "statuses"), [(1_000_000, {STORED}), (4_000_000, {CANNOT_UNDERSTAND})])
def test_21_a_million_items_stall_nobody(siege: Siege, items: int, statuses: set[int]) -> None:
    with siege.attack(told=STORED not in statuses) as attacker:
        data_set, uid = slice_and_uid()
        association = associate(attacker)
        association.socket.settimeout(120)
        sequence = long_element(0x0009, 0x1001, b"SQ", item(b"") * items)
        association.send(pdus.message(1, pdus.store_rq(uid), with_first(data_set, sequence)))
        siege.serves()
        assert association.status() in statuses
        association.release()


@pytest.mark.slow
def test_22_deflate_bombs_are_refused_in_bounded_memory(siege: Siege) -> None:
    packer = zlib.compressobj(wbits=-15)
    head = encoded(slice_and_uid()[0]).data_set
    bomb = packer.compress(head + long_element(0x7FE1, 0x1001, b"OB", b"", length=BOMB_BYTES))
    bomb += b"".join(packer.compress(bytes(1 << 20)) for _ in range(BOMB_BYTES >> 20)) + packer.flush()
    with siege.attack() as attacker:
        before, most = siege.rss_bytes(), 0
        held = [associate(attacker) for _ in range(4)]
        for association in held:
            association.send(pdus.message(7, pdus.store_rq(str(generate_uid())), bomb))
        for _ in range(5):
            siege.serves()
            most = max(most, siege.rss_bytes())
        assert all(association.status() in (CANNOT_UNDERSTAND, MISMATCH) for association in held)
        for association in held:
            association.release()
        assert most - before < MODEST_BYTES


SWAPPED = [
    (EXPLICIT, JPEG_LOSSLESS),
    (IMPLICIT, EXPLICIT),
    (EXPLICIT, IMPLICIT),
    (BIG_ENDIAN, EXPLICIT),
    (EXPLICIT, BIG_ENDIAN),
    (EXPLICIT, DEFLATED),
    (DEFLATED, EXPLICIT),
]


def test_23_another_transfer_syntax_inside_is_refused(siege: Siege) -> None:
    with siege.attack() as attacker:
        association = associate(attacker)
        for inside, announced in SWAPPED:
            data_set, uid = slice_and_uid()
            status = association.store(CONTEXT_OF[announced], encoded(data_set, inside).data_set, uid)
            assert status == CANNOT_UNDERSTAND, (inside, announced)
            assert siege.stored(uid) is None
        refused(siege, attacker, CANNOT_UNDERSTAND)
        association.release()


TEXTS = {
    "overlong-utf8": b"\xc0\xaf\xc1\xbf^A",
    "broken-utf8": b"\xff\xfe\x80^B",
    "nul-inside": b"A\x00B^C",
    "escape-to-nowhere": b"\x1b$)C\x1b(Z^D",
    "right-to-left": "\u202egnp.exe\u202c\u200b^E".encode(),
    "newline": b"A\r\nlog line^F",
    "terminal": b"\x1b[2J\x1b]0;x\x07^G",
}


CHARACTER_SETS = ("ISO_IR 192", "ISO 2022 IR 149", "NO_SUCH_SET", "")


def test_24_broken_texts_are_stored_and_indexed_without_control_characters(siege: Siege) -> None:
    sent: dict[str, bytes] = {}
    with siege.attack(told=False) as attacker:
        association = associate(attacker)
        for text, character_set in itertools.product(TEXTS.values(), CHARACTER_SETS):
            data_set, uid = slice_and_uid(SpecificCharacterSet=character_set)
            sent[uid] = _replaced(encoded(data_set).data_set, data_set, "PatientName", text)
            assert association.store(1, sent[uid], uid) == STORED, (text, character_set)
        siege.serves()
        association.release()
    for uid, whole in sent.items():
        _is_stored_as_sent(siege, uid, whole)
    with siege.database.reading() as session:
        names = session.scalars(select(Patient.name)).all()
    assert not [name for name in names if any(unicodedata.category(one) == "Cc" for one in name)]


def test_24_a_character_set_that_makes_every_text_unreadable_is_refused(siege: Siege) -> None:
    """Found by fuzzing: every study with such a value had become one study, of an empty UID."""
    with siege.attack() as attacker:
        data_set, uid = slice_and_uid()
        sent = _replaced(encoded(data_set).data_set, data_set, "SpecificCharacterSet", b"ISO_IR\x00192")
        association = associate(attacker)
        assert association.store(1, sent, uid) == CANNOT_UNDERSTAND
        refused(siege, attacker, CANNOT_UNDERSTAND)
        association.release()


PAYLOADS = {
    "html": "<img src=x onerror=alert(1)>",
    "formula": '=HYPERLINK("http://x","y")',
    "template": "{{7*7}}${7*7}<%= 7*7 %>",
    "shell": "$(touch /tmp/x);`id`|id",
    "sql": "'; DROP TABLE studies; --",
    "newline": "A\nWARNING forged",
    "path": "../../../../etc/passwd",
}


def test_25_payloads_stay_texts(siege: Siege) -> None:
    uids = []
    with siege.attack(told=False) as attacker:
        association = associate(attacker)
        for kind, payload in PAYLOADS.items():
            texts = dict.fromkeys(("PatientName", "PatientID", "StudyDescription", "SeriesDescription"), payload)
            data_set, uid = slice_and_uid(**texts)
            assert association.store(1, encoded(data_set).data_set, uid) == STORED, kind
            uids.append(uid)
        association.release()
    assert all(siege.stored(uid) for uid in uids)
    assert not [payload for payload in PAYLOADS.values() if payload in siege.agent.process.log_text]


WRONG_VALUES = [
    ("InstanceNumber", b"1e400 "),
    ("SeriesNumber", b"NaN "),
    ("InstanceNumber", b"1\\2\\3 "),
    ("StudyDate", b"00000000"),
    ("StudyTime", b"\0\0\0\0"),
    ("SeriesNumber", b"9" * 400),
]


def test_26_values_that_their_vr_does_not_allow_are_stored_as_they_are(siege: Siege) -> None:
    sent: dict[str, bytes] = {}
    with siege.attack(told=False) as attacker:
        association = associate(attacker)
        for keyword, value in WRONG_VALUES:
            data_set, uid = slice_and_uid()
            sent[uid] = _replaced(encoded(data_set).data_set, data_set, keyword, value)
            assert association.store(1, sent[uid], uid) == STORED, (keyword, value)
        association.release()
    for uid, whole in sent.items():
        _is_stored_as_sent(siege, uid, whole)


def _replaced(whole: bytes, data_set: Dataset, keyword: str, value: bytes, vr: bytes | None = None) -> bytes:
    element = data_set[keyword]
    head = pack("<HH2s", element.tag.group, element.tag.element, element.VR.encode())
    start = whole.index(head)
    length = int.from_bytes(whole[start + 6 : start + 8], "little")
    new = head[:4] + (vr or element.VR.encode()) + len(value).to_bytes(2, "little") + value
    return whole[:start] + new + whole[start + 8 + length :]


SWAPPED_VRS = [
    ("Rows", b"DS", b"16", STORED),
    ("Rows", b"US", b"", CANNOT_UNDERSTAND),
    ("Rows", b"FD", bytes(8), CANNOT_UNDERSTAND),
    ("BitsAllocated", b"SQ", b"", CANNOT_UNDERSTAND),
    ("StudyDate", b"AT", bytes(3), STORED),
    ("PatientID", b"OB", b"P1", CANNOT_UNDERSTAND),
]


def test_26_swapped_vrs_are_stored_or_refused(siege: Siege) -> None:
    with siege.attack() as attacker:
        association = associate(attacker)
        for keyword, vr, value, status in SWAPPED_VRS:
            data_set, uid = slice_and_uid()
            sent = _replaced(encoded(data_set).data_set, data_set, keyword, value, vr)
            assert association.store(1, sent, uid) == status, (keyword, vr)
        refused(siege, attacker, CANNOT_UNDERSTAND)
        association.release()


PREAMBLES = (b"MZ\x90\x00", b"\x7fELF\x02\x01\x01\x00", b"<script>alert(1)</script>")


def test_27_a_program_before_the_data_set_is_refused_and_no_file_begins_with_one(siege: Siege) -> None:
    with siege.attack() as attacker:
        association = associate(attacker)
        for preamble in PREAMBLES:
            data_set, uid = slice_and_uid()
            whole = encoded(data_set).data_set
            program = preamble.ljust(128, b"\0") + b"DICM" + whole
            assert association.store(1, program, uid) == CANNOT_UNDERSTAND
            assert association.store(1, whole, uid) == STORED
            assert _file(siege, uid)[:132] == bytes(128) + b"DICM"
        refused(siege, attacker, CANNOT_UNDERSTAND)
        association.release()
