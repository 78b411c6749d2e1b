"""Files and archives that people drop: what is DICOM comes in; no archive fills disk or memory or leads anywhere."""

import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs_agent.bring_in import files
from pacs_agent.bring_in.files import Budget, FileRefused, count_of, instances_in

PLENTY = 1 << 40
DICOM = bytes(128) + b"DICM" + b"the rest"


def packed(folder: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "dropped"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def read(path: Path, most_bytes: int = PLENTY) -> list[bytes | FileRefused | None]:
    return list(instances_in(path, Budget(most_bytes)))


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "000000"
    file.write_bytes(DICOM)
    assert read(file) == [DICOM]
    assert count_of(file) == 1


def test_what_is_no_dicom_file_is_counted_and_not_read(tmp_path: Path) -> None:
    path = packed(tmp_path, {"readme.txt": b"x" * 500, "a.dcm": DICOM, "empty": b"", "more.zip": b"PK\x03\x04" * 99})
    assert read(path) == [None, DICOM, None, None]
    assert count_of(path) == 4


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "C:\\evil", "a/../../b", "con", "x" * 4000])
def test_names_within_an_archive_lead_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "inside").mkdir()
    path = packed(tmp_path / "inside", {name: DICOM})
    assert read(path) == [DICOM]
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["dropped"]


def test_an_archive_that_grows_too_much_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FREE_BYTES", 1 << 20)
    path = packed(tmp_path, {f"{n}.dcm": DICOM + bytes(4 << 20) for n in range(4)})
    with pytest.raises(FileRefused, match="times its size"):
        read(path)


def test_the_whole_upload_has_a_limit(tmp_path: Path) -> None:
    path = packed(tmp_path, {f"{n}.dcm": DICOM + bytes(3 << 20) for n in range(3)}, zipfile.ZIP_STORED)
    with pytest.raises(FileRefused, match="max_unpacked_gb"):
        read(path, most_bytes=5 << 20)


def test_an_instance_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_INSTANCE_BYTES", 1 << 20)
    (found,) = read(packed(tmp_path, {"a": DICOM + bytes(3 << 20)}, zipfile.ZIP_STORED))
    assert isinstance(found, FileRefused)


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path, {str(n): b"" for n in range(5)})
    monkeypatch.setattr(files, "MOST_ENTRIES", 4)
    with pytest.raises(FileRefused, match="more than 4"):
        read(path)
    assert count_of(path) == 1


def test_a_list_of_entries_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    path = packed(tmp_path, {"a": DICOM})
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.rfind(b"PK\x05\x06") + 12, 1 << 30)
    path.write_bytes(content)
    with pytest.raises(FileRefused, match="more than"):
        read(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_output_has_no_bound_are_not_unpacked(tmp_path: Path, method: int) -> None:
    (found,) = read(packed(tmp_path, {"a": DICOM}, method))
    assert isinstance(found, FileRefused)


def test_an_encrypted_entry_is_refused_in_words(tmp_path: Path) -> None:
    path = packed(tmp_path, {"a": DICOM})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    (found,) = read(path)
    assert "password" in str(found)


def test_a_dicom_file_that_begins_like_an_archive_is_a_dicom_file(tmp_path: Path) -> None:
    file = tmp_path / "polyglot"
    file.write_bytes(b"PK\x03\x04" + DICOM[4:])
    assert read(file) == [b"PK\x03\x04" + DICOM[4:]]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_broken_archive_is_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", DICOM * 20)
        archive.writestr("b.txt", b"text")
    content = bytearray(stream.getvalue())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "broken"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found = read(path)
    except FileRefused:
        return
    assert all(one is None or isinstance(one, bytes | FileRefused) for one in found)
