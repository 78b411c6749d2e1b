"""A model bundle on disk: a folder whose files are what its manifest says they are."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from pacs_agent.config import PACKAGED_KEYS, InferenceSettings
from pacs_agent.imaging.accept import AcceptedInput
from pacs_agent.inference.external_data import MalformedGraph, has_external_data
from pacs_agent.inference.manifest import DocumentFile, GraphFile, Manifest, Precision
from pacs_agent.inference.reading import BundleIdentity, FindingLabel
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.inference.segmenter_manifest import SegmenterManifest
from pacs_agent.inference.signature import SIGNATURE, Signer, check_signature, trusted_keys
from pacs_agent.inference.staging.manifest import StagingManifest
from pacs_agent.inference.staging.words import Words
from pacs_agent.inference.tokenizer import Tokenizer

MANIFEST = "manifest.json"
SELF_TEST_FOLDER = "self_test"
MAX_MANIFEST_BYTES = 1 << 20
MAX_SIGNATURE_BYTES = 1 << 12
MAX_FILE_BYTES = 2 << 30

AnyManifest: TypeAlias = Manifest | SegmenterManifest | StagingManifest

_COPY_AGAIN = "copy the whole bundle again from where it was released"


@dataclass(frozen=True, kw_only=True)
class _Folder:
    """A folder whose files have been checked. `digest` is over the manifest, which names the digest of every file."""

    folder: Path
    digest: str
    signer: Signer
    manifest: AnyManifest

    def read(self, file: GraphFile | DocumentFile) -> bytes:
        """The bytes of a file, checked again: what runs is what was checked. Raises BundleRefused."""
        return _checked_bytes(self.folder, file)

    @property
    def accepts(self) -> AcceptedInput:
        """What the model takes of a study."""
        return self.manifest.accepts

    def identity(self) -> BundleIdentity:
        """Which model this is, for every object it makes."""
        manifest = self.manifest
        return BundleIdentity(
            name=manifest.name,
            version=manifest.version,
            digest=self.digest,
            device_uid=manifest.device_uid,
            manufacturer=manifest.manufacturer,
            intended_use=manifest.intended_use,
            training_data=manifest.training_data,
            demo=manifest.demo,
        )

    def unnamed_files(self) -> list[str]:
        """Files in the folder for which nobody vouches: the manifest does not name them, and nothing reads them."""
        named = {MANIFEST, SIGNATURE, *named_files(self.manifest)}
        found = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if not path.is_dir())
        return sorted(set(found) - named)

    def self_test(self) -> bytes:
        """The bytes of the self-test, checked. Raises BundleRefused."""
        return _checked_bytes(self.folder, self.manifest.self_test, SELF_TEST_FOLDER)


@dataclass(frozen=True, kw_only=True)
class Bundle(_Folder):
    """A bundle of task "report": it reads studies."""

    manifest: Manifest
    tokenizer: Tokenizer

    @property
    def labels(self) -> tuple[FindingLabel, ...]:
        """The findings the model reports, in the order of its graphs."""
        found = self.manifest.findings
        return tuple(FindingLabel(key=entry.key, name=entry.name, code=entry.code, site=entry.site) for entry in found)

    def slice_encoder(self, precision: Precision) -> GraphFile:
        """The slice encoder in a precision. Raises BundleRefused when the bundle does not have it."""
        if precision == "fp32":
            return self.manifest.graphs.slice_encoder
        if precision not in self.manifest.variants:
            fault = f"names no slice encoder in {precision}"
            raise BundleRefused(_shown(self.folder / MANIFEST), fault, "set inference.precision to auto or fp32")
        return self.manifest.variants[precision]

    def grounding(self) -> bytes:
        """The bytes of the grounding test, checked. Raises BundleRefused, also when the bundle has none."""
        if self.manifest.grounding is None:
            fault = "names no grounding test"
            raise BundleRefused(_shown(self.folder / MANIFEST), fault, "export the model again for this version")
        return _checked_bytes(self.folder, self.manifest.grounding, SELF_TEST_FOLDER)


@dataclass(frozen=True, kw_only=True)
class SegmenterBundle(_Folder):
    """A bundle of task "segment": it outlines structures in the series that was read."""

    manifest: SegmenterManifest


@dataclass(frozen=True, kw_only=True)
class StagingBundle(_Folder):
    """A bundle of task "staging": it reads all series of a study together."""

    manifest: StagingManifest
    words: Words

    @property
    def labels(self) -> tuple[FindingLabel, ...]:
        """The items the model reports, in the order of its graphs."""
        return tuple(
            FindingLabel(key=item.key, name=item.name, code=item.code, site=item.site) for item in self.manifest.items
        )


AnyBundle: TypeAlias = Bundle | SegmenterBundle | StagingBundle
_TASKS: dict[object, type[AnyManifest]] = {"segment": SegmenterManifest, "staging": StagingManifest}
"""Manifests by task; what names none of these is one of task "report", or none."""


@dataclass(frozen=True)
class InstalledBundles:
    """The bundles of a folder: those that load, by task, and why others do not."""

    bundles: tuple[Bundle, ...]
    refused: tuple[BundleRefused, ...]
    segmenters: tuple[SegmenterBundle, ...] = ()
    staging: tuple[StagingBundle, ...] = ()

    @property
    def all(self) -> tuple[AnyBundle, ...]:
        """Those of every task."""
        return (*self.bundles, *self.segmenters, *self.staging)


def load_bundle(folder: Path, keys: Path = PACKAGED_KEYS) -> Bundle:
    """The bundle of task "report" in a folder, as `load_any` gives it. Raises BundleRefused, also for another task."""
    bundle = load_any(folder, keys)
    if not isinstance(bundle, Bundle):
        does = "segments" if isinstance(bundle, SegmenterBundle) else "reads all series of a study together"
        fault = f"is of a model that {does}, where one that reads is needed"
        raise BundleRefused(_shown(folder / MANIFEST), fault, "name a bundle of task report")
    return bundle


def load_any(folder: Path, keys: Path = PACKAGED_KEYS) -> AnyBundle:
    """The bundle in a folder, of any task, its signature and every file of its manifest checked.

    `keys` is the folder of the trusted keys; nothing of the manifest is looked at before its signature is good.
    Raises BundleRefused when the signature, the manifest or a file is missing, altered, of somebody unknown, lies
    outside the folder, or refers to files that no digest covers; the error names the file and what to do.
    """
    content = _bytes_inside(folder, folder / MANIFEST, MAX_MANIFEST_BYTES)
    signer = _signer(folder, content, keys)
    manifest = _manifest(folder, content)
    for graph in _graphs(manifest):
        _check_graph(folder, graph)
    for tests in _tests(manifest):
        _checked_bytes(folder, tests, SELF_TEST_FOLDER)
    for document in manifest.documents:
        _checked_bytes(folder, document)
    digest = hashlib.sha256(content).hexdigest()
    if isinstance(manifest, SegmenterManifest):
        return SegmenterBundle(folder=folder, digest=digest, signer=signer, manifest=manifest)
    if isinstance(manifest, StagingManifest):
        words = _read_words(folder, manifest)
        return StagingBundle(folder=folder, digest=digest, signer=signer, manifest=manifest, words=words)
    tokenizer = _read_tokenizer(folder, manifest)
    return Bundle(folder=folder, digest=digest, signer=signer, manifest=manifest, tokenizer=tokenizer)


def manifest_of(content: bytes) -> AnyManifest:
    """The manifest in the bytes of `manifest.json`, by its task. Raises ValueError, RecursionError."""
    given = json.loads(content)
    task = given.get("task") if isinstance(given, dict) else None
    return _TASKS.get(task, Manifest).model_validate(given)


def bundle_folders(bundles_dir: Path) -> list[Path]:
    """The folders that claim to be bundles, by name; none when the folder does not exist.

    One whose name begins with a dot is still being written.
    """
    folders = (path.parent for path in bundles_dir.glob(f"*/{MANIFEST}"))
    return sorted(folder for folder in folders if not folder.name.startswith("."))


def installed_stamp(settings: InferenceSettings) -> str:
    """Changes whenever a file of a bundle, or of the trusted keys, comes, goes or is written anew."""
    of_bundles = (path for folder in bundle_folders(settings.bundles_dir) for path in folder.rglob("*"))
    files = sorted(path for path in (*of_bundles, *settings.trusted_keys.glob("*")) if path.is_file())
    facts = [(str(path), status.st_size, status.st_mtime_ns) for path in files for status in [path.stat()]]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def installed_bundles(settings: InferenceSettings) -> InstalledBundles:
    """All bundles of `bundles_dir`, by name; none when the folder does not exist."""
    loaded, refused = list[AnyBundle](), []
    for folder in bundle_folders(settings.bundles_dir):
        try:
            loaded.append(load_any(folder, settings.trusted_keys))
        except BundleRefused as error:
            refused.append(error)
    return InstalledBundles(readers_of(loaded), tuple(refused), segmenters_of(loaded), staging_of(loaded))


def readers_of(bundles: Iterable[AnyBundle]) -> tuple[Bundle, ...]:
    """Those that read one series of a study."""
    return tuple(one for one in bundles if isinstance(one, Bundle))


def segmenters_of(bundles: Iterable[AnyBundle]) -> tuple[SegmenterBundle, ...]:
    """Those that segment."""
    return tuple(one for one in bundles if isinstance(one, SegmenterBundle))


def staging_of(bundles: Iterable[AnyBundle]) -> tuple[StagingBundle, ...]:
    """Those that read all series of a study together."""
    return tuple(one for one in bundles if isinstance(one, StagingBundle))


def named_files(manifest: AnyManifest) -> dict[str, str]:
    """The SHA-256 of every file that a manifest names, by its path in the bundle."""
    files: list[GraphFile | DocumentFile] = [*_graphs(manifest), *manifest.documents]
    if not isinstance(manifest, SegmenterManifest):
        files.append(manifest.tokenizer)
    of_tests = {f"{SELF_TEST_FOLDER}/{test.file}": test.sha256 for test in _tests(manifest)}
    return {**{one.file: one.sha256 for one in files}, **of_tests}


def _graphs(manifest: AnyManifest) -> Iterator[GraphFile]:
    if isinstance(manifest, SegmenterManifest):
        yield manifest.graphs.segmenter
        return
    if isinstance(manifest, StagingManifest):
        yield from (manifest.slice_encoder, manifest.study_reader, manifest.report_decoder)
        return
    graphs = manifest.graphs
    yield from (graphs.slice_encoder, graphs.study_reader, graphs.report_decoder, *manifest.variants.values())


def _tests(manifest: AnyManifest) -> Iterator[GraphFile]:
    yield manifest.self_test
    if isinstance(manifest, Manifest) and manifest.grounding is not None:
        yield manifest.grounding


def _signer(folder: Path, manifest: bytes, keys: Path) -> Signer:
    path = folder / SIGNATURE
    if not path.is_file():
        fault = "is missing: nobody vouches for this bundle"
        remedy = "get the signed bundle from where it was released, or sign one you made: python -m models.msvlm.sign"
        raise BundleRefused(_shown(path), fault, remedy)
    return check_signature(_shown(path), manifest, _bytes_inside(folder, path, MAX_SIGNATURE_BYTES), trusted_keys(keys))


def _manifest(folder: Path, content: bytes) -> AnyManifest:
    try:
        return manifest_of(content)
    except (ValidationError, ValueError, RecursionError) as error:
        raise BundleRefused(_shown(folder / MANIFEST), f"is no manifest: {_first_fault(error)}", _COPY_AGAIN) from error


def _read_tokenizer(folder: Path, manifest: Manifest) -> Tokenizer:
    path = _shown(folder / manifest.tokenizer.file)
    content = _checked_bytes(folder, manifest.tokenizer)
    try:
        tokenizer = Tokenizer.model_validate(json.loads(content))
    except (ValidationError, ValueError, RecursionError) as error:
        raise BundleRefused(path, f"is no tokenizer: {_first_fault(error)}", "export the model again") from error
    if missing := tokenizer.missing_tags(entry.key for entry in manifest.findings):
        raise BundleRefused(
            path, f"has no tag {', '.join(missing[:3])}", "export the model again with all its findings"
        )
    return tokenizer


def _read_words(folder: Path, manifest: StagingManifest) -> Words:
    path = _shown(folder / manifest.tokenizer.file)
    try:
        words = Words.model_validate_json(_checked_bytes(folder, manifest.tokenizer))
    except ValidationError as error:
        raise BundleRefused(path, f"is no list of words: {_first_fault(error)}", "export the model again") from error
    prompts = [prompt for item in manifest.items for prompt in item.prompts]
    if missing := sorted({*prompts, words.end, words.pad} - set(words.words)):
        raise BundleRefused(path, f"has no word {', '.join(missing[:3])}", "export the model again with all its items")
    return words


def _check_graph(folder: Path, graph: GraphFile) -> None:
    path = _shown(folder / graph.file)
    try:
        external = has_external_data(_checked_bytes(folder, graph))
    except MalformedGraph as error:
        raise BundleRefused(path, f"is no ONNX graph: {error}", _COPY_AGAIN) from error
    if external:
        remedy = "export it again with all tensors inside the file (external_data=False)"
        raise BundleRefused(path, "keeps tensors in other files (ONNX external data)", remedy)


def _checked_bytes(folder: Path, file: GraphFile | DocumentFile, subfolder: str = "") -> bytes:
    path = folder / subfolder / file.file
    content = _bytes_inside(folder, path, MAX_FILE_BYTES)
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        fault = f"has SHA-256 {digest}, its manifest says {file.sha256}: it was altered or cut off"
        raise BundleRefused(_shown(path), fault, _COPY_AGAIN)
    return content


def _bytes_inside(folder: Path, path: Path, max_bytes: int) -> bytes:
    """The bytes of a file that lies in the folder itself, links followed."""
    if not path.is_file():
        raise BundleRefused(_shown(path), "is missing", _COPY_AGAIN)
    if not path.resolve().is_relative_to(folder.resolve()):
        fault = f"is a link out of the bundle, to {path.resolve()}"
        raise BundleRefused(_shown(path), fault, "put the file itself into the bundle's folder")
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= max_bytes else b""
    except OSError as error:
        raise BundleRefused(_shown(path), f"cannot be read: {error}", "give this user the right to read it") from error
    if size > max_bytes:
        raise BundleRefused(_shown(path), f"has {size} bytes, at most {max_bytes} are read", _COPY_AGAIN)
    return content


def _first_fault(error: Exception) -> str:
    """The first of the faults that validation found, with its place."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"


def _shown(path: Path) -> str:
    """A file with the name of its bundle, for people."""
    return f"{path.parent.name}/{path.name}"
