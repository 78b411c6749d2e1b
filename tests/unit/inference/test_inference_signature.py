"""Only a bundle that somebody trusted has signed, as it was when it was signed."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import KEY, keys_of, load, pem, sign_manifest, write_manifest

from pacs_agent.config import PACKAGED_KEYS
from pacs_agent.inference import BundleRefused, load_bundle
from pacs_agent.inference.signature import TrustedKeys, check_signature, key_id, sign, trusted_keys

OTHER = Ed25519PrivateKey.from_private_bytes(bytes(reversed(range(32))))
TRUSTED = TrustedKeys(Path("keys"), {key_id(KEY.public_key()): ("tests", KEY.public_key())})


def refusal(folder: Path) -> BundleRefused:
    with pytest.raises(BundleRefused) as caught:
        load(folder)
    return caught.value


def test_who_signed(bundle_folder: Path) -> None:
    assert (load(bundle_folder).signer.name, load(bundle_folder).signer.key_id) == ("tests", key_id(KEY.public_key()))


def test_unsigned(bundle_folder: Path) -> None:
    (bundle_folder / "manifest.sig").unlink()
    assert refusal(bundle_folder).file == "tiny-1.0/manifest.sig"
    assert "nobody vouches" in refusal(bundle_folder).fault
    assert "models.msvlm.sign" in refusal(bundle_folder).remedy


def test_a_manifest_altered_with_all_its_digests(bundle_folder: Path) -> None:
    """What an attacker can do without the key: another graph, and a manifest that fits it."""
    signature = (bundle_folder / "manifest.sig").read_bytes()
    write_manifest(bundle_folder, demo=False)
    (bundle_folder / "manifest.sig").write_bytes(signature)
    assert "does not fit manifest.json" in refusal(bundle_folder).fault


def test_a_foreign_key(bundle_folder: Path) -> None:
    sign_manifest(bundle_folder, OTHER)
    error = refusal(bundle_folder)
    assert f"{key_id(OTHER.public_key())}, which is none of the 1 trusted here" in error.fault
    assert str(keys_of(bundle_folder)) in error.remedy
    (keys_of(bundle_folder) / "hospital.pem").write_bytes(pem(OTHER))
    assert load(bundle_folder).signer.name == "hospital"


def test_a_signature_under_the_name_of_a_trusted_key(bundle_folder: Path) -> None:
    path = bundle_folder / "manifest.sig"
    forged = sign((bundle_folder / "manifest.json").read_bytes(), OTHER)
    path.write_text(forged.model_copy(update={"key_id": key_id(KEY.public_key())}).model_dump_json())
    assert "does not fit" in refusal(bundle_folder).fault


def test_nobody_is_trusted_by_default_but_the_packaged_keys(bundle_folder: Path) -> None:
    with pytest.raises(BundleRefused, match="trusted here"):
        load_bundle(bundle_folder)


def test_no_folder_of_keys(bundle_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="none of the 0 trusted"):
        load_bundle(bundle_folder, tmp_path / "nowhere")


@pytest.mark.parametrize("kind", ["key", "bundle"])
def test_revoked(bundle_folder: Path, kind: str) -> None:
    digest = key_id(KEY.public_key()) if kind == "key" else load(bundle_folder).digest
    lines = f"# lost on 2 May\n\n{digest} laptop stolen # see ticket 12\n"
    (keys_of(bundle_folder) / "revoked.txt").write_text(lines)
    assert refusal(bundle_folder).fault == f"the {kind} {digest} is revoked: laptop stolen"


def test_the_packaged_list_of_what_is_revoked_holds_for_every_folder(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = tmp_path / "packaged"
    packaged.mkdir()
    (packaged / "revoked.txt").write_text(key_id(KEY.public_key()))
    monkeypatch.setattr("pacs_agent.inference.signature.PACKAGED_KEYS", packaged)
    assert "no reason given" in refusal(bundle_folder).fault


def test_a_revocation_that_cannot_be_read_is_not_overlooked(bundle_folder: Path) -> None:
    (keys_of(bundle_folder) / "revoked.txt").write_text(key_id(KEY.public_key())[:-1])
    assert "line 1 is not 64 hexadecimal digits" in refusal(bundle_folder).fault


@pytest.mark.parametrize(
    "content",
    [
        b"no key",
        generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        OTHER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
    ids=["text", "another kind", "private half"],
)
def test_a_file_that_is_no_public_key(bundle_folder: Path, content: bytes) -> None:
    (keys_of(bundle_folder) / "broken.pem").write_bytes(content)
    assert refusal(bundle_folder).file.endswith("broken.pem")


@pytest.mark.parametrize(
    "changes", [{"algorithm": "none"}, {"algorithm": "RSA"}, {"key_id": ""}, {"signature": "AAAA"}, {"more": 1}]
)
def test_a_signature_with_wrong_fields(bundle_folder: Path, changes: dict) -> None:
    path = bundle_folder / "manifest.sig"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert "is no signature" in refusal(bundle_folder).fault


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_a_signature(content: bytes) -> None:
    with pytest.raises(BundleRefused):
        check_signature("manifest.sig", b"{}", content, TRUSTED)


@given(st.integers(0, 511))
def test_any_flipped_bit_of_a_signature_is_noticed(bit: int) -> None:
    good = sign(b"manifest", KEY)
    raw = bytearray(base64.b64decode(good.signature))
    raw[bit // 8] ^= 1 << bit % 8
    bad = good.model_copy(update={"signature": base64.b64encode(raw).decode()})
    with pytest.raises(BundleRefused, match="does not fit"):
        check_signature("manifest.sig", b"manifest", bad.model_dump_json().encode(), TRUSTED)


def test_the_packaged_keys_can_be_read() -> None:
    assert trusted_keys(PACKAGED_KEYS).folder == PACKAGED_KEYS


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_openssl_agrees(bundle_folder: Path, tmp_path: Path) -> None:
    """The signature is plain RFC 8032 over the file: anybody can check it without the agent."""
    raw = tmp_path / "raw"
    raw.write_bytes(base64.b64decode(json.loads((bundle_folder / "manifest.sig").read_text())["signature"]))
    key = keys_of(bundle_folder) / "tests.pem"
    arguments = ["-verify", "-pubin", "-inkey", key, "-rawin", "-in", bundle_folder / "manifest.json", "-sigfile", raw]
    done = subprocess.run(["openssl", "pkeyutl", *arguments], capture_output=True, text=True, check=False)
    assert "Verified Successfully" in done.stdout, done.stderr
