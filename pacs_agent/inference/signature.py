"""Who released a bundle: an Ed25519 signature (RFC 8032) over the bytes of `manifest.json`, kept in `manifest.sig`.

The manifest names the digest of every other file, so one signature vouches for all of them. A public key is trusted
when it lies as a .pem file in the folder that `inference.trusted_keys` names. `revoked.txt` there, or in the folder
that comes with the agent, takes trust back from a key or from a single bundle.
See docs/decisions/0008-signed-bundles.md.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pacs_agent.config import PACKAGED_KEYS
from pacs_agent.inference.refusal import BundleRefused

SIGNATURE = "manifest.sig"
REVOKED = "revoked.txt"

_REVOKED_LINE = re.compile(r"([0-9a-f]{64})(?:\s+(.*))?")
_GET_SIGNED = "get the signed bundle from where it was released, or sign one you made: python -m models.msvlm.sign"


class Signature(BaseModel):
    """`manifest.sig`, JSON. The key's id is the SHA-256 of its SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) in DER."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: Literal["Ed25519"] = "Ed25519"
    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]
    """The 64 bytes of RFC 8032, 5.1.6, in Base64."""


@dataclass(frozen=True)
class Signer:
    """The trusted key that signed a bundle: the name of its file, and its id."""

    name: str
    key_id: str


@dataclass(frozen=True)
class TrustedKeys:
    """The public keys of a folder by id, each with its file's name, and what is revoked with the reason."""

    folder: Path
    keys: dict[str, tuple[str, Ed25519PublicKey]] = field(default_factory=dict)
    revoked: dict[str, str] = field(default_factory=dict)


def key_id(key: Ed25519PublicKey) -> str:
    """The id of a key, the same that `openssl pkey -pubin -outform DER | sha256sum` gives."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def sign(manifest: bytes, key: Ed25519PrivateKey) -> Signature:
    """The signature of a manifest's bytes."""
    signed = base64.b64encode(key.sign(manifest)).decode()
    return Signature(key_id=key_id(key.public_key()), signature=signed)


def trusted_keys(folder: Path) -> TrustedKeys:
    """The keys of a folder; none when it does not exist.

    Raises BundleRefused for a .pem file that holds no Ed25519 public key and for a line of `revoked.txt` that cannot be
    read: a key that somebody meant to trust or to revoke must not be overlooked.
    """
    keys = {key_id(key): (path.stem, key) for path in sorted(folder.glob("*.pem")) for key in [_public_key(path)]}
    revoked = {digest: reason for one in {PACKAGED_KEYS, folder} for digest, reason in _revoked(one / REVOKED)}
    return TrustedKeys(folder, keys, revoked)


def check_signature(shown: str, manifest: bytes, content: bytes, trusted: TrustedKeys) -> Signer:
    """Who signed the bytes of a manifest. `content` is that of `manifest.sig`, `shown` its name for people.

    Raises BundleRefused when it is no signature, does not fit, or comes from a key that is unknown or revoked.
    """
    try:
        signature = Signature.model_validate_json(content)
    except ValidationError as error:
        raise BundleRefused(shown, "is no signature of a manifest", _GET_SIGNED) from error
    _refuse_revoked(shown, "key", signature.key_id, trusted)
    _refuse_revoked(shown, "bundle", hashlib.sha256(manifest).hexdigest(), trusted)
    if signature.key_id not in trusted.keys:
        fault = f"was made with the key {signature.key_id}, which is none of the {len(trusted.keys)} trusted here"
        remedy = f"if you know whose it is, put its public half as a .pem file into {trusted.folder}"
        raise BundleRefused(shown, fault, remedy)
    name, key = trusted.keys[signature.key_id]
    try:
        key.verify(base64.b64decode(signature.signature), manifest)
    except InvalidSignature as error:
        fault = f"does not fit manifest.json: one of them was altered after {name} signed"
        raise BundleRefused(shown, fault, "copy the whole bundle again from where it was released") from error
    return Signer(name, signature.key_id)


def _refuse_revoked(shown: str, kind: str, digest: str, trusted: TrustedKeys) -> None:
    if digest in trusted.revoked:
        fault = f"the {kind} {digest} is revoked: {trusted.revoked[digest] or 'no reason given'}"
        raise BundleRefused(shown, fault, "install a later version of the bundle")


def _public_key(path: Path) -> Ed25519PublicKey:
    remedy = "replace it by the key's public half in PEM, or take the file away"
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise BundleRefused(str(path), f"is no public key: {error}", remedy) from error
    if not isinstance(key, Ed25519PublicKey):
        raise BundleRefused(str(path), f"is a key of another kind ({type(key).__name__}), not Ed25519", remedy)
    return key


def _revoked(path: Path) -> Iterator[tuple[str, str]]:
    """Digests (of keys or of manifests) and reasons, one to a line; `#` begins a comment."""
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not (text := line.partition("#")[0].strip()):
            continue
        if not (match := _REVOKED_LINE.fullmatch(text)):
            fault = f"line {number} is not 64 hexadecimal digits and a reason"
            raise BundleRefused(str(path), fault, "correct the line: what is revoked must not be guessed")
        yield match[1], match[2] or ""
