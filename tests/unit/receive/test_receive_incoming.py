"""An instance on its way in: whatever way its bytes come, they are kept as they came, and nothing is left behind."""

import errno
import hashlib
import mmap
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian

from pacs_agent.archive import TRANSFER_SYNTAXES, Archive, DigestFiles, Part, Taken, split_part10
from pacs_agent.receive import Announced, CannotUnderstand, Incoming, Intake, OutOfResources, Refusal
from pacs_agent.receive.incoming import KEPT_WARM_BYTES, Spool
from tests.unit.archive.made_instances import CT, ct_slice, encoded, slice_in

ANNOUNCED = Announced(CT, "1.2.3", "1.2.840.10008.1.2.1", "A@1")


def receive(incoming: Incoming, sent: bytes, pieces: Sequence[int] = ()) -> None:
    """Puts bytes in, asking for as many at a time as `pieces` say, again and again."""
    rest, turn = memoryview(sent), 0
    while rest:
        asked = pieces[turn % len(pieces)] if pieces else len(rest)
        room = incoming.room(asked)
        count = min(len(room), len(rest), asked)
        room[:count] = rest[:count]
        incoming.advance(count)
        rest, turn = rest[count:], turn + 1


def spool(folder: Path, **limits: int) -> Spool:
    return Spool(DigestFiles(folder), **{"memory_bytes": 16384, "spool_bytes": 4096, **limits})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=20_000), st.lists(st.integers(1, 9000), min_size=1, max_size=5))
def test_bytes_are_kept_as_they_came_in_any_pieces(tmp_path: Path, sent: bytes, pieces: list[int]) -> None:
    incoming = spool(tmp_path).begin(ANNOUNCED)
    receive(incoming, sent, pieces)
    assert (incoming.size_bytes, incoming.digest) == (len(sent), hashlib.sha256(sent).hexdigest())
    with incoming.content() as content:
        assert content == sent
    incoming.discard()
    incoming.discard()
    assert not list((tmp_path / "incoming").iterdir())


def test_buffers_are_used_again_and_never_give_away_what_was_in_them(tmp_path: Path) -> None:
    shared = spool(tmp_path)
    for sent in (b"a" * 3000, b"b" * 100):
        incoming = shared.begin(ANNOUNCED)
        receive(incoming, sent)
        with incoming.content() as content:
            assert content == sent
        incoming.discard()
    assert len(shared._idle) == 1


def test_pages_that_few_instances_need_go_back_to_the_system(tmp_path: Path) -> None:
    shared = spool(tmp_path, memory_bytes=4 << 20, spool_bytes=4 << 20)
    incoming = shared.begin(ANNOUNCED)
    receive(incoming, b"x" * (3 << 20))
    incoming.discard()
    [buffer] = shared._idle
    assert (buffer[0], buffer[KEPT_WARM_BYTES]) == (ord("x"), 0)


def test_memory_that_cannot_be_had_is_not_counted_as_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> mmap.mmap:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    shared = spool(tmp_path, memory_bytes=4096)
    with monkeypatch.context() as patch:
        patch.setattr(mmap, "mmap", none)
        for _ in range(2):
            with pytest.raises(OutOfResources, match="Cannot allocate memory"):
                shared.begin(ANNOUNCED)
    shared.begin(ANNOUNCED).discard()
    assert len(shared._idle) == 1, "it was one of full size"


def test_a_file_that_cannot_be_removed_costs_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_part: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    shared = spool(tmp_path)
    incoming = shared.begin(ANNOUNCED)
    receive(incoming, b"x" * 10_000)
    with monkeypatch.context() as patch:
        patch.setattr(Part, "close", fail)
        with pytest.raises(OSError, match="Input/output"):
            incoming.discard()
    assert len(shared._idle) == 1
    incoming.discard()


def test_beyond_the_budget_instances_go_to_files(tmp_path: Path) -> None:
    shared = spool(tmp_path, memory_bytes=8192, spool_bytes=4096)
    several = [shared.begin(ANNOUNCED) for _ in range(5)]
    for number, incoming in enumerate(several):
        receive(incoming, bytes([number]) * 10_000)
    for number, incoming in enumerate(several):
        with incoming.content() as content:
            assert content == bytes([number]) * 10_000
        incoming.discard()
    assert not list((tmp_path / "incoming").iterdir())


def test_an_announced_instance_is_archived(intake: Intake, archive: Archive) -> None:
    sent = encoded(ct_slice())
    incoming = intake.begin(Announced(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, "A@1"))
    receive(incoming, sent.data_set, [1000])
    receipt = intake.finish(incoming)
    assert (receipt.outcome, receipt.digest) == (Taken.STORED, sent.digest)
    assert archive.path(sent.digest).read_bytes().endswith(sent.data_set)
    assert not list(archive.files.incoming.iterdir())


@pytest.mark.parametrize(
    ("announced", "status"),
    [
        ({"transfer_syntax_uid": "1.2.840.10008.1.2.4.100"}, 0x0122),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.6.1"}, 0x0122),
        ({"sop_class_uid": "../x"}, 0xA900),
        ({"sop_instance_uid": ""}, 0xA900),
        ({"sop_instance_uid": "1." + "2" * 63}, 0xA900),
    ],
)
def test_what_need_not_come_is_refused_before_it_comes(intake: Intake, announced: dict[str, str], status: int) -> None:
    with pytest.raises(Refusal) as refused:
        intake.begin(Announced(**{**vars(ANNOUNCED), **announced}))
    assert refused.value.status == status


SLICES = count(1)


@pytest.mark.parametrize("transfer_syntax_uid", TRANSFER_SYNTAXES)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.integers(1, 3000), min_size=1, max_size=4), spool_bytes=st.sampled_from([512, 1 << 20]))
def test_every_transfer_syntax_is_stored_byte_for_byte_in_any_pieces(
    intake: Intake, archive: Archive, transfer_syntax_uid: str, pieces: list[int], spool_bytes: int
) -> None:
    sent = slice_in(transfer_syntax_uid, next(SLICES))
    intake._spool = Spool(archive.files, memory_bytes=4 * spool_bytes, spool_bytes=spool_bytes)
    incoming = intake.begin(Announced(sent.sop_class_uid, sent.sop_instance_uid, transfer_syntax_uid, "A@1"))
    receive(incoming, sent.data_set, pieces)
    receipt = intake.finish(incoming)
    stored = split_part10(archive.path(receipt.digest).read_bytes())
    assert (receipt.outcome, receipt.digest) == (Taken.STORED, hashlib.sha256(sent.data_set).hexdigest())
    assert (stored.data_set, stored.transfer_syntax_uid) == (sent.data_set, transfer_syntax_uid)
    assert (stored.sop_class_uid, stored.sop_instance_uid) == (sent.sop_class_uid, sent.sop_instance_uid)
    assert not list(archive.files.incoming.iterdir())


@pytest.mark.parametrize("spool_bytes", [512, 1 << 20])
def test_what_is_refused_leaves_nothing(intake: Intake, archive: Archive, spool_bytes: int) -> None:
    sent = encoded(ct_slice())
    intake._spool = Spool(archive.files, memory_bytes=4 * spool_bytes, spool_bytes=spool_bytes)
    incoming = intake.begin(Announced(sent.sop_class_uid, "1.2.3", sent.transfer_syntax_uid, "A@1"))
    receive(incoming, sent.data_set)
    with pytest.raises(Refusal):
        intake.finish(incoming)
    assert not list(archive.files.incoming.iterdir())
    assert not list(archive.files.root.rglob("*.dcm"))


def test_a_broken_deflated_instance_in_a_file_is_refused_as_any_other(intake: Intake, archive: Archive) -> None:
    sent = encoded(ct_slice(size=64), DeflatedExplicitVRLittleEndian)
    intake._spool = Spool(archive.files, memory_bytes=512, spool_bytes=512)
    incoming = intake.begin(Announced(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, "A@1"))
    receive(incoming, b"\xff" * 2000)
    with pytest.raises(CannotUnderstand, match="cannot be inflated"):
        intake.finish(incoming)
    assert not list(archive.files.incoming.iterdir())


def test_full_disk_while_an_instance_comes_is_told_so(
    intake: Intake, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    intake._spool = Spool(archive.files, memory_bytes=512, spool_bytes=512)
    sent = encoded(ct_slice())
    incoming = intake.begin(Announced(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, "A@1"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        with pytest.raises(OutOfResources, match="No space left"):
            receive(incoming, sent.data_set)
    incoming.discard()
    assert not list(archive.files.incoming.iterdir())
