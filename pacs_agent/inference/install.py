"""A bundle comes in as one file: its signature is checked before anything is unpacked; it is there whole or not at all.

Only files that the signed manifest names are written, under the names that it gives them, so no name in the archive can
lead out of the bundle's folder. The folder appears under its own name by one rename.
"""

import gzip
import hashlib
import re
import shutil
import tarfile
import time
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Protocol

from pydantic import ValidationError

from pacs_agent.config import Settings
from pacs_agent.db import Database, ModelUpload
from pacs_agent.inference.activation import note_refusals
from pacs_agent.inference.bundle import (
    MANIFEST,
    MAX_FILE_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_SIGNATURE_BYTES,
    AnyBundle,
    AnyManifest,
    load_any,
    manifest_of,
    named_files,
)
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.inference.signature import SIGNATURE, check_signature, trusted_keys
from pacs_agent.ops import Outcome, audit

MAX_FILES = 500
MAX_BUNDLE_BYTES = 4 << 30
_CHUNK_BYTES = 1 << 20
_INCOMING = ".incoming-"
_FORGOTTEN_AFTER_S = 24 * 3600.0
_LARGEST_READ_BYTES = 8 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_PACK_AGAIN = "pack the folder of the bundle as it was released, as ZIP, tar or tar.gz, and nothing else"
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
"""What the readers of archives raise for what they cannot read."""


class Packed(Protocol):
    """An archive: its regular files by path, with their sizes."""

    sizes: dict[str, int]

    def open(self, path: str) -> BinaryIO:
        """The content of one."""
        ...


def install(packed: IO[bytes], settings: Settings, database: Database, *, actor: str) -> AnyBundle:
    """Unpacks a bundle into the folder of bundles, with an audit line either way. It waits there for its activation.

    `packed` is a ZIP, tar or tar.gz, positioned at its begin. Raises BundleRefused; nothing is installed then.
    """
    try:
        bundle = _install(packed, settings, database, actor)
    except BundleRefused as refusal:
        note_refusals(database, [refusal], actor)
        raise
    with database.writing() as session:
        audit(
            session,
            actor=actor,
            action="model.installed",
            outcome=Outcome.SUCCESS,
            subject=f"{bundle.manifest.name} {bundle.manifest.version}",
            digest=bundle.digest,
            signed_by=bundle.signer.name,
        )
    return bundle


def _install(packed: IO[bytes], settings: Settings, database: Database, actor: str) -> AnyBundle:
    bundles_dir, keys = settings.inference.bundles_dir, settings.inference.trusted_keys
    incoming = bundles_dir / f"{_INCOMING}{uuid.uuid4().hex}"
    try:
        archive = _opened(packed)
        root = _root(archive)
        manifest = _signed_manifest(archive, root, settings)
        target = bundles_dir / f"{manifest.name}-{manifest.version}"
        if target.exists():
            remedy = "raise its version, or remove the folder first if nothing uses it"
            raise BundleRefused(target.name, "is installed already", remedy)
        _unpack(archive, root, manifest, incoming)
        _note(database, load_any(incoming, keys), actor)
        incoming.rename(target)
    except BundleRefused:
        raise
    except _BROKEN as error:
        raise BundleRefused("the file", f"cannot be unpacked: {error}", _PACK_AGAIN) from error
    except OSError as error:
        remedy = f"make room, or give this user the right to write into {bundles_dir}"
        raise BundleRefused("the bundle", f"cannot be written: {error}", remedy) from error
    finally:
        _sweep(bundles_dir, incoming)
    return load_any(target, keys)


def _note(database: Database, bundle: AnyBundle, actor: str) -> None:
    """That a bundle waits for its activation is known before it can be seen: no worker may take it up meanwhile."""
    manifest = bundle.manifest
    with database.writing() as session:
        upload = ModelUpload(digest=bundle.digest, name=manifest.name, version=manifest.version)
        upload.uploaded_by = actor[:128]
        session.merge(upload)


def _sweep(bundles_dir: Path, incoming: Path) -> None:
    """Removes what was not installed, also by a process that died a day ago or longer."""
    long_ago_s = time.time() - _FORGOTTEN_AFTER_S
    left = [path for path in bundles_dir.glob(f"{_INCOMING}*") if path.stat().st_mtime < long_ago_s]
    for path in (incoming, *left):
        shutil.rmtree(path, ignore_errors=True)


def _opened(packed: IO[bytes]) -> Packed:
    begin = packed.read(4)
    packed.seek(0)
    if begin.startswith(b"PK"):
        return _Zip(packed)
    if begin.startswith(b"\x1f\x8b"):
        return _Tar(gzip.GzipFile(fileobj=packed))
    return _Tar(packed)


def _root(archive: Packed) -> str:
    """The folder in the archive that holds the manifest, with a slash at its end; empty when it has none."""
    manifests = sorted((path for path in archive.sizes if PurePosixPath(path).name == MANIFEST), key=len)
    if not manifests or len(PurePosixPath(manifests[0]).parts) > 2:
        raise BundleRefused("the file", f"holds no {MANIFEST} in its first folder", _PACK_AGAIN)
    return manifests[0].removesuffix(MANIFEST)


def _signed_manifest(archive: Packed, root: str, settings: Settings) -> AnyManifest:
    """The manifest, of which nothing is believed before its signature is good."""
    content = _content(archive, root + MANIFEST, MAX_MANIFEST_BYTES)
    if root + SIGNATURE not in archive.sizes:
        remedy = "get the signed bundle from where it was released"
        raise BundleRefused(SIGNATURE, "is missing: nobody vouches for this bundle", remedy)
    signature = _content(archive, root + SIGNATURE, MAX_SIGNATURE_BYTES)
    check_signature(SIGNATURE, content, signature, trusted_keys(settings.inference.trusted_keys))
    try:
        manifest = manifest_of(content)
    except (ValidationError, ValueError, RecursionError) as error:
        raise BundleRefused(MANIFEST, "is no manifest of this version of the agent", _PACK_AGAIN) from error
    for part in (manifest.name, manifest.version):
        if not _NAME.fullmatch(part):
            raise BundleRefused(
                MANIFEST, f"has a name or version that cannot name a folder: {part[:80]!r}", _PACK_AGAIN
            )
    return manifest


def _unpack(archive: Packed, root: str, manifest: AnyManifest, folder: Path) -> None:
    """Writes the files that the manifest names, each checked against its digest while it is written."""
    digests = named_files(manifest)
    known = {root + name for name in (*digests, MANIFEST, SIGNATURE)}
    if unknown := sorted(set(archive.sizes) - known):
        fault = f"is not named by the signed manifest, nor are {len(unknown) - 1} more files"
        raise BundleRefused(unknown[0][:120], fault, _PACK_AGAIN)
    folder.mkdir(parents=True)
    for name in (MANIFEST, SIGNATURE):
        (folder / name).write_bytes(_content(archive, root + name, MAX_MANIFEST_BYTES))
    for name, digest in digests.items():
        if root + name not in archive.sizes:
            raise BundleRefused(name, "is missing", _PACK_AGAIN)
        (folder / name).parent.mkdir(exist_ok=True)
        if _written(archive, root + name, folder / name) != digest:
            raise BundleRefused(name, "is not as it was signed: it was altered or cut off", _PACK_AGAIN)


def _written(archive: Packed, path: str, target: Path) -> str:
    """Writes one file; its SHA-256. No more is read than the archive had announced."""
    digest, left = hashlib.sha256(), archive.sizes[path]
    with archive.open(path) as source, target.open("xb") as file:
        while left and (chunk := source.read(min(_CHUNK_BYTES, left))):
            digest.update(chunk)
            file.write(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def _content(archive: Packed, path: str, max_bytes: int) -> bytes:
    if archive.sizes[path] > max_bytes:
        raise BundleRefused(path[:120], f"has {archive.sizes[path]} bytes, at most {max_bytes} are read", _PACK_AGAIN)
    with archive.open(path) as file:
        return file.read(max_bytes)


def _checked(members: Iterator[tuple[str, int]]) -> dict[str, int]:
    """Paths and sizes, refused as soon as they are too many, too large or lead elsewhere."""
    sizes: dict[str, int] = {}
    for path, size in members:
        name = path.removeprefix("./")
        if name in sizes or "\\" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise BundleRefused(name[:120], "is a path that a bundle cannot have, or comes twice", _PACK_AGAIN)
        sizes[name] = size
        if len(sizes) > MAX_FILES or size > MAX_FILE_BYTES or sum(sizes.values()) > MAX_BUNDLE_BYTES:
            limits = f"{MAX_FILES} files, {MAX_FILE_BYTES >> 30} GiB each, {MAX_BUNDLE_BYTES >> 30} GiB in all"
            raise BundleRefused("the file", f"holds more than a bundle may: {limits}", _PACK_AGAIN)
    return sizes


class _Zip:
    def __init__(self, file: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(file)
        self._members = {one.filename.removeprefix("./"): one for one in self._archive.infolist()}
        self.sizes = _checked((one.filename, one.file_size) for one in self._archive.infolist() if not one.is_dir())

    def open(self, path: str) -> BinaryIO:
        return self._archive.open(self._members[path])  # type: ignore[return-value]


class _Tar:
    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._archive = tarfile.TarFile(fileobj=_Careful(file))  # type: ignore[arg-type]
        self._members: dict[str, tarfile.TarInfo] = {}
        self.sizes = _checked(self._files())

    def _files(self) -> Iterator[tuple[str, int]]:
        for member in self._archive:
            if member.isdir():
                continue
            if not member.isreg() or member.sparse is not None:
                raise BundleRefused(member.name[:120], "is a link or no plain file", _PACK_AGAIN)
            self._members[member.name.removeprefix("./")] = member
            yield member.name, member.size

    def open(self, path: str) -> BinaryIO:
        return self._archive.extractfile(self._members[path])  # type: ignore[return-value]


class _Careful:
    """A file of which nobody takes a large piece at once: a header that claims a huge name costs no memory."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_READ_BYTES:
            raise BundleRefused("the file", "has a header that is larger than any of a bundle", _PACK_AGAIN)
        return self._file.read(size)
