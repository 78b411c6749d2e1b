"""Seals and signs a bundle that has been evaluated.

    python -m models.msvlm.sign --bundle models/bundles/msvlm-thorax-demo-0.3.1

Sealing puts every file of the folder into the manifest with its digest (card, figures and plots as documents) and takes
over what the evaluation measured the lower precisions to cost. Then the manifest is signed. Without `--key` a new key
pair is made: its public half goes into the folder of trusted keys that comes with the agent, its private half into your
own key folder; with `--single-use` the private half is never written, and nobody can sign anything else with it. See
docs/decisions/0008-signed-bundles.md.
"""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from models.gtgm.export import seal_segmenter
from models.msvlm.export import digest_of, write_manifest
from models.msvlm.rectal.export import seal_series_bundle
from models.msvlm.runtime import read_manifest
from pacs_agent.config import PACKAGED_KEYS, InferenceSettings
from pacs_agent.inference.manifest import DocumentFile, Manifest, Variant
from pacs_agent.inference.signature import SIGNATURE, key_id, sign
from pacs_agent.inference.verification import verify

MAX_BUNDLE_BYTES = 30 * 2**20
"""What a bundle that is kept in the repository may have in total."""
EVALUATION = "evaluation.json"


class CannotSign(click.ClickException):
    """A bundle or a key that is not fit for a signature, and why."""


def seal(folder: Path) -> Manifest:
    """Puts every file, the measured cost of each precision and the best evidence method into the manifest; gives it."""
    (folder / SIGNATURE).unlink(missing_ok=True)
    manifest, evaluation = read_manifest(folder), _evaluation(folder)
    graphs = (*(graph for _, graph in manifest.graphs), *manifest.variants.values(), manifest.tokenizer)
    inside = {file.file for file in graphs} | {"manifest.json"}
    documents = tuple(
        DocumentFile(file=name, sha256=digest_of(folder / name))
        for name in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        if name not in inside and not name.startswith("self_test/")
    )
    measured = {name: _measured(variant, evaluation, name) for name, variant in manifest.variants.items()}
    method = evaluation.get("evidence_method", manifest.evidence_method)
    changes = {"documents": documents, "variants": measured, "evidence_method": method}
    sealed = Manifest.model_validate({**manifest.model_dump(), **changes})
    write_manifest(folder, sealed)
    return sealed


SEALS: dict[str, Callable[[Path], object]] = {
    "report": seal,
    "segment": seal_segmenter,
    "staging": seal_series_bundle,
}
"""By the task of the bundle."""


def sign_bundle(folder: Path, key: Ed25519PrivateKey) -> None:
    """Writes `manifest.sig`."""
    signature = sign((folder / "manifest.json").read_bytes(), key)
    (folder / SIGNATURE).write_text(signature.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_key(path: Path) -> Ed25519PrivateKey:
    """An Ed25519 private key in PEM without a passphrase. Raises CannotSign, also when others may read the file."""
    if path.stat().st_mode & 0o077:
        raise CannotSign(f"{path} can be read by others: chmod 600 it, and think about who may have read it")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (TypeError, ValueError) as error:
        raise CannotSign(f"{path} is no private key in PEM without a passphrase: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CannotSign(f"{path} is no Ed25519 key; make one: openssl genpkey -algorithm ed25519 -out {path.name}")
    return key


def keep_private(key: Ed25519PrivateKey, path: Path) -> None:
    """Writes the private half for this user alone. Raises FileExistsError: a key is never overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def trust(key: Ed25519PrivateKey, name: str, folder: Path) -> Path:
    """Puts the public half into a folder of trusted keys."""
    path = folder / f"{name}.pem"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def release(folder: Path, key: Ed25519PrivateKey) -> None:
    """Seals, signs and verifies a bundle.

    Raises CannotSign when the bundle is too large or fails its verification; its signature is then taken away again.
    """
    task = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["task"]
    SEALS[task](folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MAX_BUNDLE_BYTES:
        raise CannotSign(f"{folder} has {size / 2**20:.1f} MiB, at most {MAX_BUNDLE_BYTES >> 20} are released")
    sign_bundle(folder, key)
    with tempfile.TemporaryDirectory() as trusted:
        trust(key, "this key", Path(trusted))
        verification = verify(folder, InferenceSettings(provider="cpu", trusted_keys=Path(trusted)))
    if not verification.passed:
        (folder / SIGNATURE).unlink()
        raise CannotSign(f"{folder} is not signed, because it would not run: {verification.faults}")


def _evaluation(folder: Path) -> Mapping[str, Any]:
    path = folder / EVALUATION
    figures: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return figures


def _measured(variant: Variant, evaluation: Mapping[str, Any], name: str) -> Variant:
    figures = evaluation.get("variants", {}).get(name, {})
    losses = {loss: figures.get(loss) for loss in ("macro_auroc_loss", "worst_auroc_loss")}
    return variant.model_copy(update=losses)


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--key", "key_file", type=click.Path(path_type=Path, exists=True), help="Private key in PEM.")
@click.option("--single-use", is_flag=True, help="Make a key, sign with it, and forget its private half.")
@click.option(
    "--trusted-keys", type=click.Path(path_type=Path), default=PACKAGED_KEYS, help="Folder for the public half."
)
def main(bundle: Path, key_file: Path | None, single_use: bool, trusted_keys: Path) -> None:
    """Seals, signs and verifies a bundle."""
    if key_file and single_use:
        raise click.UsageError("--single-use makes a key of its own; leave --key out")
    key = read_key(key_file) if key_file else Ed25519PrivateKey.generate()
    name = key_file.stem if key_file else bundle.resolve().name
    release(bundle, key)
    public = trust(key, name, trusted_keys)
    if not key_file and not single_use:
        private = Path(click.get_app_dir("pacs-agent")) / "keys" / f"{name}-{key_id(key.public_key())[:8]}.pem"
        keep_private(key, private)
        click.echo(f"private half: {private} (yours alone; whoever has it can sign bundles that are trusted)")
    click.echo(f"public half:  {public}")
    click.echo(f"{bundle} is signed with key {key_id(key.public_key())}")


if __name__ == "__main__":
    main()
