"""`python -m tests.fuzz.seeds`: makes the corpus anew, but for the inputs that were found. The same ones each time."""

from collections.abc import Iterator
from struct import pack

from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from tests.fuzz.data_set import SYNTAXES
from tests.fuzz.fuzzer import CORPUS
from tests.peers import pdus
from tests.peers.pdus import CT, EXPLICIT, IMPLICIT, Proposed
from tests.unit.archive.made_instances import ct_slice, encoded, text_report

FOUND = "found-"
UNCOMPRESSED = (EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
SLICE = ct_slice(size=4)


def main() -> None:
    """Writes corpus/<target>/<name>."""
    for target, seeds in (("wire", wire()), ("commands", commands()), ("data_set", data_sets())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if not old.name.startswith(FOUND):
                old.unlink()
        for name, content in seeds:
            (folder / name).write_bytes(content)


def wire() -> Iterator[tuple[str, bytes]]:
    """Conversations; the first byte is how many bytes come at a time."""
    whole = encoded(SLICE)
    store = pdus.message(3, pdus.store_rq(whole.sop_instance_uid), whole.data_set)
    fragments = b"".join(pdus.fragments(3, whole.data_set, size=100))
    echo, request = pdus.message(1, pdus.echo_rq()), pdus.associate_rq()
    role = pdus.item(0x54, pack(">H", len(CT)) + CT.encode() + b"\1\1")
    many = [Proposed(2 * number + 1, CT, UNCOMPRESSED) for number in range(20)]
    extras = pdus.asynchronous_operations(0, 1) + role + pdus.item(0x55, b"FUZZ") + pdus.item(0x58, bytes(6))
    yield "echo", b"\0" + request + echo + pdus.release_rq()
    yield "echo-one-byte-at-a-time", b"\1" + request + echo + pdus.release_rq()
    yield "store", b"\0" + request + store + echo + pdus.release_rq()
    yield "store-in-pieces", b"\x64" + request + store + pdus.release_rq()
    yield "fragments", b"\7" + request + pdus.message(3, pdus.store_rq("1.2")) + fragments + pdus.release_rq()
    yield (
        "two-values-in-a-pdu",
        b"\0" + request + pdus.p_data(pdus.pdv(3, pdus.store_rq("1.2"), command=True), pdus.pdv(3, whole.data_set)),
    )
    yield "many-contexts", b"\0" + pdus.associate_rq(many, user_items=extras) + pdus.abort()
    yield "small-maximum", b"\0" + pdus.associate_rq(maximum_length=16) + echo + pdus.release_rq()
    yield "rejected", b"\0" + pdus.associate_rq(calling=b"A\\B")
    yield "release-first", b"\0" + pdus.release_rq()
    yield "cancel", b"\0" + request + pdus.message(3, pdus.command_set({0x0100: 0x0FFF, 0x0120: 1, 0x0800: 0x0101}))
    yield (
        "never-last",
        b"\0"
        + request
        + pdus.message(3, pdus.store_rq("1.2"))
        + pdus.p_data(pdus.pdv(3, whole.data_set[:50], last=False)),
    )
    yield "huge-length", b"\0" + pdus.associate_rq(length=0xFFFFFFFF)


def commands() -> Iterator[tuple[str, bytes]]:
    """Command sets."""
    no_data_set = {0x0110: 1, 0x0800: 0x0101}
    yield "echo", pdus.echo_rq()
    yield "store", pdus.store_rq("1.2.3.4")
    yield "store-moved", pdus.store_rq("1.2.3.4", e1030="SOMEBODY ", e1031=7)
    yield "store-long-uid", pdus.store_rq("1." * 60 + "1")
    yield "find", pdus.command_set({0x0002: CT, 0x0100: 0x0020, 0x0110: 1, 0x0700: 0, 0x0800: 1})
    yield "action", pdus.command_set({0x0003: CT, 0x0100: 0x0130, 0x0110: 3, 0x0800: 1, 0x1001: "1.2", 0x1008: 1})
    yield "event", pdus.command_set({0x0002: CT, 0x0100: 0x0100, 0x1000: "1.2", 0x1002: 2} | no_data_set)
    yield "get", pdus.command_set({0x0003: CT, 0x0100: 0x0110, 0x1005: pack("<HH", 8, 0x18)} | no_data_set)
    yield "response", pdus.command_set({0x0100: 0x8030, 0x0120: 1, 0x0800: 0x0101, 0x0900: 0})
    yield "group-length", pdus.command_set({0x0100: 0x0030} | no_data_set, group_length=0xFFFFFFFF)


def data_sets() -> Iterator[tuple[str, bytes]]:
    """Data sets; the first byte chooses the transfer syntax."""
    for uid in UNCOMPRESSED:
        yield f"slice-{uid}", _chosen(uid) + encoded(ct_slice(size=4), uid).data_set
    for uid in (RLELossless, JPEGLSLossless, JPEG2000Lossless):
        compressed = ct_slice(size=32)
        compressed.compress(uid, generate_instance_uid=False)
        yield f"compressed-{uid}", _chosen(uid) + encoded(compressed).data_set
    yield "report", _chosen(EXPLICIT) + encoded(text_report()).data_set
    for name, vr, value in _sequences():
        yield name, _chosen(EXPLICIT) + _with(pack("<HH2sHL", 9, 0x1001, vr, 0, 0xFFFFFFFF) + value)
    yield "values-of-many-vrs", _chosen(EXPLICIT) + _with(_many_vrs())
    for character_set in ("ISO 2022 IR 149", "GB18030", "\\ISO 2022 IR 87", "NO_SUCH_SET"):
        name = character_set.replace("\\", "").replace(" ", "-")
        texts = encoded(ct_slice(size=4, SpecificCharacterSet=character_set, PatientName="A^B")).data_set
        yield f"texts-{name}", _chosen(EXPLICIT) + texts.replace(b"A^B ", b"\x1b$)C\xb1\xe8"[:4])


def _sequences() -> Iterator[tuple[str, bytes, bytes]]:
    """Values of undefined length (PS3.5 7.5), as private sequences."""
    inner = pack("<HH2sH", 8, 0x0100, b"SH", 2) + b"1 "
    end_item, end = pack("<HHL", 0xFFFE, 0xE00D, 0), pack("<HHL", 0xFFFE, 0xE0DD, 0)
    item, open_item = pack("<HHL", 0xFFFE, 0xE000, len(inner)), pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    nested = pack("<HH2sHL", 8, 0x0104, b"SQ", 0, 0xFFFFFFFF) + open_item
    yield "sequence", b"SQ", item + inner + end
    yield "delimited-items", b"SQ", open_item + inner + end_item + open_item + end_item + end
    yield "unknown", b"UN", pack("<HHL", 0xFFFE, 0xE000, 10) + pack("<HHL", 8, 0x0100, 2) + b"1 " + end
    yield "nested", b"SQ", open_item + nested * 5 + inner + (end_item + end) * 5 + end_item + end


def _many_vrs() -> bytes:
    short = b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
    long = b"OB OD OF OL OV OW SV UC UN UR UT UV".split()
    values = [pack("<HH2sH", 9, 0x1001 + number, vr, 8) + b"12345678" for number, vr in enumerate(short)]
    return b"".join(
        values + [pack("<HH2sHL", 9, 0x1101 + number, vr, 0, 8) + b"12345678" for number, vr in enumerate(long)]
    )


def _with(element: bytes) -> bytes:
    """The slice with elements of group 0009 in their place."""
    whole = encoded(ct_slice(size=4), EXPLICIT).data_set
    behind = whole.index(pack("<HH", 0x0010, 0x0010))
    return whole[:behind] + element + whole[behind:]


def _chosen(transfer_syntax_uid: str) -> bytes:
    return bytes([SYNTAXES.index(transfer_syntax_uid)])


if __name__ == "__main__":
    main()
