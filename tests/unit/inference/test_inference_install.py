"""Bundles that come in as one file: what is installed, and all that is refused before anything is written."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from tiny_bundle import settings_of, sign_manifest, write_bundle, write_manifest

from pacs_agent.config import Settings
from pacs_agent.db import AuditEvent, Database
from pacs_agent.inference import BundleRefused, activate, bundle_folders, bundles_in_use, install

Change = Callable[[Path], object]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A signed bundle that is not installed."""
    return write_bundle(tmp_path / "elsewhere" / "made", version="2.0")


@pytest.fixture
def settings(made: Path, tmp_path: Path) -> Settings:
    inference = settings_of(made).model_copy(update={"bundles_dir": tmp_path / "bundles"})
    (tmp_path / "bundles").mkdir()
    return Settings(data_dir=tmp_path / "data", inference=inference)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def zipped(files: dict[str, bytes], root: str = "made/") -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(root + name, content)
    packed.seek(0)
    return packed


def tarred(files: dict[str, bytes], mode: str = "w:gz", *extra: tarfile.TarInfo) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in reversed(files.items()):
            member = tarfile.TarInfo(f"./made/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for one in extra:
            archive.addfile(one)
    packed.seek(0)
    return packed


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, "w"), lambda files: zipped(files, "")])
def test_it_is_there_whole_and_waits_for_its_activation(
    settings: Settings, database: Database, made: Path, pack: Callable[[dict[str, bytes]], io.BytesIO]
) -> None:
    bundle = install(pack(files_of(made)), settings, database, actor="tests")
    assert bundle.folder == settings.inference.bundles_dir / "tiny-2.0"
    assert files_of(bundle.folder) == files_of(made)
    assert bundles_in_use(settings, database).bundles == ()
    activate(bundle.folder, settings, database, actor="tests")
    assert [one.digest for one in bundles_in_use(settings, database).bundles] == [bundle.digest]
    with pytest.raises(BundleRefused, match="is installed already"):
        install(pack(files_of(made)), settings, database, actor="tests")


def altered(folder: Path) -> None:
    (folder / "study_reader.onnx").write_bytes(b"another")


def of_somebody_else(folder: Path) -> None:
    sign_manifest(folder, Ed25519PrivateKey.generate())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (altered, "not as it was signed"),
        (of_somebody_else, "none of the 1 trusted"),
        (lambda folder: (folder / "manifest.sig").unlink(), "nobody vouches"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "is missing"),
        (lambda folder: (folder / "run.sh").write_text("rm"), "not named by the signed manifest"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "does not fit manifest.json"),
        (lambda folder: write_manifest(folder, version="../../etc"), "cannot name a folder"),
        (lambda folder: write_manifest(folder, name=".hidden"), "cannot name a folder"),
    ],
)
def test_what_is_wrong_is_refused_and_leaves_nothing(
    settings: Settings, database: Database, made: Path, change: Change, words: str
) -> None:
    change(made)
    for pack in (zipped, tarred):
        with pytest.raises(BundleRefused, match=words):
            install(pack(files_of(made)), settings, database, actor="tests")
    assert list(settings.inference.bundles_dir.iterdir()) == []
    with database.reading() as session:
        assert set(session.scalars(select(AuditEvent.action))) == {"model.refused"}


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\evil"])
def test_no_name_leads_out(settings: Settings, database: Database, made: Path, name: str) -> None:
    with pytest.raises(BundleRefused):
        install(zipped({**files_of(made), name: b"x"}), settings, database, actor="tests")
    assert list(settings.inference.bundles_dir.iterdir()) == []


def linked(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


def test_links_bombs_and_noise_are_refused(settings: Settings, database: Database, made: Path) -> None:
    files = files_of(made)
    huge = tarfile.TarInfo("./made/huge")
    huge.size = 1 << 40
    header = huge.tobuf()
    for packed, words in (
        (tarred(files, "w:gz", linked("made/link")), "link or no plain file"),
        (io.BytesIO(header), "more than a bundle may"),
        (io.BytesIO(b"PK\x03\x04 nonsense"), "cannot be unpacked"),
        (io.BytesIO(b"\x1f\x8b nonsense"), "cannot be unpacked"),
        (io.BytesIO(b""), "cannot be unpacked"),
        (zipped({"a/b/manifest.json": b"{}"}, ""), "holds no manifest.json"),
        (zipped({str(number): b"" for number in range(600)}), "more than a bundle may"),
        (zipped({**files, "manifest.json": json.dumps({"x": "y" * (2 << 20)}).encode()}), "are read"),
    ):
        with pytest.raises(BundleRefused, match=words):
            install(packed, settings, database, actor="tests")
    assert bundle_folders(settings.inference.bundles_dir) == []
