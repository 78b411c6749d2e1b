"""An agent as it comes out of its box, beside a real Orthanc: nobody has an account yet, nothing is set up."""

import json
import secrets
import shutil
import zipfile
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_agent.config import PACKAGED_KEYS, REPOSITORY_BUNDLES
from pacs_agent.inference.signature import SIGNATURE, sign
from tests import shipped
from tests.e2e.site import MODALITY, Account
from tests.peers import Agent, Orthanc, free_port, storescu

GRACE = Account("grace", secrets.token_urlsafe(16), "Grace Hopper")
"""Who sets the agent up."""
NEXT = "9.9.9"
"""Version of a model that is newer than the one of the repository."""


class NewSite:
    """The agent, the PACS, and the file of a newer model that its key folder trusts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pacs = Orthanc(folder / "pacs")
        self.dead_port = free_port()
        bundles, keys = folder / "bundles", folder / "keys"
        shutil.copytree(REPOSITORY_BUNDLES, bundles)
        shutil.copytree(PACKAGED_KEYS, keys)
        self.next_model = newer(bundles, keys, folder)
        self.agent = Agent(
            folder / "agent",
            quiet_s=0.5,
            deliver={"attempts": 1, "timeout_s": 5},
            inference={"bundles_dir": str(bundles), "trusted_keys": str(keys)},
        )

    def __enter__(self) -> "NewSite":
        self.pacs.start()
        self.agent.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.stop()
        self.pacs.stop()

    def send(self, files: list[Path]) -> None:
        """Sends images as the modality that the administrator lets in."""
        sent = storescu(files, self.agent.port, self.agent.ae_title, calling_ae=MODALITY)
        assert sent.code == 0, sent.output

    def given(self, files: list[Path]) -> dict[str, Any]:
        """What the scenario types in."""
        return {
            "account": {**GRACE.given(), "name": GRACE.name},
            "sender": MODALITY,
            "pacs": {"ae_title": self.pacs.ae_title, "port": self.pacs.port, "dead_port": self.dead_port},
            "rules": yaml.safe_dump(RULES, sort_keys=False),
            "file": str(files[0]),
            "model": str(self.next_model),
            "version": NEXT,
        }


RULES = {
    "rules": [
        {
            "name": "chest CT",
            "when": {"attribute": "Modality", "equals": "CT"},
            "pipeline": "msvlm",
            "destinations": ["pacs"],
        }
    ]
}


def newer(bundles: Path, keys: Path, folder: Path) -> Path:
    """The model of the repository under a higher version, signed by a key of our own, as a ZIP."""
    made = folder / "newer"
    shutil.copytree(bundles / shipped.reader().name, made)
    manifest = json.loads((made / "manifest.json").read_text())
    content = json.dumps({**manifest, "version": NEXT}, indent=1).encode()
    key = Ed25519PrivateKey.generate()
    (made / "manifest.json").write_bytes(content)
    (made / SIGNATURE).write_text(sign(content, key).model_dump_json())
    (keys / "next.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    packed = folder / "newer.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(path for path in made.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(made).as_posix())
    return packed
