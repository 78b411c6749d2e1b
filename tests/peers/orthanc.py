"""A real Orthanc as the hospital's PACS, with the configuration that is shipped in deploy/orthanc."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests

from tests.peers.running import RunningProcess, Server, executable, free_port, until

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "orthanc"
DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class NotSent(RuntimeError):
    """Orthanc could not send a resource. The text is its answer and the end of its log."""


class Orthanc(Server):
    """A running Orthanc. `with Orthanc(folder) as pacs:` starts it and stops it."""

    name = "Orthanc"
    ae_title = "ORTHANC"

    def __init__(self, folder: Path, *, stable_age_s: int = 1) -> None:
        """A study without a new image for `stable_age_s` is stable, and is sent on where `route_to` says."""
        super().__init__()
        self.folder = folder
        self.port = free_port()
        self.http_port = free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.dicomweb_url = f"{self.url}/dicom-web"
        self._configuration = self._configured(stable_age_s)
        self._http = requests.Session()

    @staticmethod
    def version() -> str:
        """Version of the Orthanc installed. Raises Missing."""
        first = subprocess.run(
            [executable("Orthanc", "orthanc"), "--version"], capture_output=True, text=True, check=True
        )
        return first.stdout.split()[1]

    def knows(self, ae_title: str, port: int) -> None:
        """From the next start on, this agent is its modality `pacs-agent`, with storage commitment."""
        self._configuration["DicomModalities"]["pacs-agent"].update(
            AET=ae_title, Port=port, Host="127.0.0.1", AllowStorageCommitment=True
        )

    def route_to(self, ae_title: str, port: int) -> None:
        """From the next start on, each stable study goes to this agent, by the shipped Lua script."""
        self._configuration["DicomModalities"]["pacs-agent"].update(AET=ae_title, Port=port)
        self._configuration["LuaScripts"] = [str(SHIPPED / "autoroute.lua")]

    def start(self) -> None:
        """Starts Orthanc, in its folder as it was left, and waits until REST and DICOM answer."""
        program = executable("Orthanc", "orthanc")
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(self._configuration, indent=1))
        log = self.folder / "orthanc.log"
        self._running.append(RunningProcess(self.name, [program, file], log, folder=self.folder))
        self.process.wait_until(self._ready)

    def upload(self, files: Iterable[Path | bytes]) -> int:
        """Puts Part 10 files into Orthanc by REST. Gives how many; raises requests.HTTPError when one is refused."""
        sent = 0
        for file in files:
            body = file if isinstance(file, bytes) else file.read_bytes()
            self._http.post(f"{self.url}/instances", data=body, timeout=60).raise_for_status()
            sent += 1
        return sent

    def rest(self, path: str) -> Any:
        """The JSON that GET gives for a path."""
        answer = self._http.get(self.url + path, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def count(self) -> int:
        """Instances stored."""
        return int(self.rest("/statistics")["CountInstances"])

    def find(self, level: str = "Instance", **query: str) -> list[str]:
        """Orthanc identifiers of what matches, for example `Modality="SR"`."""
        body = {"Level": level, "Query": query, "CaseSensitive": True}
        answer = self._http.post(f"{self.url}/tools/find", json=body, timeout=60)
        answer.raise_for_status()
        found: list[str] = answer.json()
        return found

    def file(self, instance: str) -> bytes:
        """An instance as Orthanc gives it back: a Part 10 file."""
        answer = self._http.get(f"{self.url}/instances/{instance}/file", timeout=60)
        answer.raise_for_status()
        return answer.content

    def metadata(self, level: str, identifier: str) -> dict[str, str]:
        """Metadata of a resource, `level` being "studies", "series" or "instances"."""
        found: dict[str, str] = self.rest(f"/{level}/{identifier}/metadata?expand")
        return found

    def store_jobs(self) -> list[dict[str, Any]]:
        """Orthanc's own C-STORE jobs, in the order they were made."""
        jobs = [job for job in self.rest("/jobs?expand") if job["Type"] == "DicomModalityStore"]
        return sorted(jobs, key=lambda job: str(job["CreationTime"]))

    def send(self, resource: str, modality: str = "pacs-agent") -> None:
        """Has Orthanc send a resource by C-STORE and waits. Raises NotSent with Orthanc's own words."""
        answer = self._http.post(f"{self.url}/modalities/{modality}/store", data=resource, timeout=600)
        if not answer.ok:
            raise NotSent(answer.text + self.process.log_text[-2000:])

    def wait_for(self, count: int, timeout_s: float = 120, **query: str) -> list[str]:
        """Identifiers of at least `count` instances that match, as soon as they are there."""

        def enough() -> list[str] | None:
            found = self.find("Instance", **query)
            return found if len(found) >= count else None

        return until(enough, timeout_s=timeout_s, what=f"{count} instances with {query} in Orthanc") or []

    def _configured(self, stable_age_s: int) -> dict[str, Any]:
        configuration: dict[str, Any] = json.loads((SHIPPED / "orthanc.json").read_text())
        store = str(self.folder / "store")
        return {
            **configuration,
            "DicomPort": self.port,
            "HttpPort": self.http_port,
            "StorageDirectory": store,
            "IndexDirectory": store,
            "StableAge": stable_age_s,
            "LuaScripts": [],
            "Plugins": [str(DICOMWEB_PLUGIN)] if DICOMWEB_PLUGIN.exists() else [],
        }

    def _ready(self) -> bool:
        try:
            return self._http.get(f"{self.url}/system", timeout=2).ok
        except requests.ConnectionError:
            return False
