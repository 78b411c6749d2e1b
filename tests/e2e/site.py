"""What a radiologist works at: the running agent, its viewer, and the archive that holds images and results."""

import secrets
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pydicom
import requests
import yaml
from dicomweb_client import DICOMwebClient
from pydicom.uid import JPEG2000Lossless

from tests.judges import errors, judge_all
from tests.peers import Agent, Orthanc, RunningProcess, free_port, storescu, until
from tests.peers.running import answers

MODALITY = "MODALITY"
RULES = """
rules:
  - name: every CT and MR
    when: {{attribute: Modality, in: [CT, MR]}}
    pipeline: msvlm
    destinations: [{destinations}]
"""


@dataclass(frozen=True)
class Account:
    """Somebody who may log in."""

    login: str
    password: str
    name: str

    def given(self) -> dict[str, str]:
        """What a scenario types in."""
        return {"login": self.login, "password": self.password}


ADA = Account("ada", secrets.token_urlsafe(12), "Dr. Ada Lovelace")
GRACE = Account("grace", secrets.token_urlsafe(12), "Dr. Grace Hopper")


class Site:
    """The agent with its viewer; images come from its own archive, or from the PACS it stands beside."""

    def __init__(self, folder: Path, pacs: Orthanc | None = None, **web: Any) -> None:
        """`web` are further settings of the agent's section web. Without `pacs` results stay in the agent's archive."""
        self.folder = folder
        self.pacs = pacs
        self._token = secrets.token_urlsafe(24)
        self.agent = Agent(folder / "agent", quiet_s=0.5, web={})
        self._write_settings(web)
        self._set_up()

    def __enter__(self) -> "Site":
        self.agent.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.stop()

    @property
    def address(self) -> str:
        """Where the viewer is served."""
        return self.agent.url

    @property
    def dicomweb(self) -> DICOMwebClient:
        """The archive that the viewer shows: the PACS where there is one."""
        if self.pacs:
            return DICOMwebClient(self.pacs.dicomweb_url)
        session = requests.Session()
        session.headers.update(self.bearer)
        return DICOMwebClient(f"{self.agent.url}/dicom-web", session=session)

    def send(self, files: Sequence[Path]) -> None:
        """Sends images as a modality does, JPEG 2000 included: to the PACS too, where there is one."""
        if self.pacs:
            self.pacs.upload(files)
        syntax = pydicom.filereader.read_file_meta_info(files[0]).TransferSyntaxUID
        proposed = ["--propose-j2k-lossless"] if syntax == JPEG2000Lossless else []
        sent = storescu(files, self.agent.port, self.agent.ae_title, calling_ae=MODALITY, options=proposed)
        assert sent.code == 0, sent.output

    def read(self, files: Sequence[Path], study: str) -> dict[str, Any]:
        """Sends images and waits until the agent has said what it says; the API's answer."""
        self.send(files)
        self.agent.ended_job(study, timeout_s=280)
        return self.result(study)

    def result(self, study: str) -> dict[str, Any]:
        """What the API says of a study."""
        answer = requests.get(f"{self.agent.url}/api/v1/studies/{study}/result", headers=self.bearer, timeout=30)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    def heat(self, study: str, finding: str, sop_instance_uid: str) -> dict[str, Any]:
        """The heat of a finding in one slice."""
        url = f"{self.agent.url}/api/v1/studies/{study}/heat/{finding}/{sop_instance_uid}"
        answer = requests.get(url, headers=self.bearer, timeout=30)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    def documents(self, study: str, count: int, timeout_s: float = 90) -> list[pydicom.Dataset]:
        """The SRs of a study that QIDO-RS finds in the archive, as soon as there are as many, fetched by WADO-RS."""
        client = self.dicomweb

        def enough() -> list[dict[str, dict[str, Any]]]:
            found = client.search_for_instances(study, search_filters={"Modality": "SR"})
            return found if len(found) >= count else []

        found = until(enough, timeout_s=timeout_s, every_s=0.5, what=f"{count} SRs of the study in the archive")
        return [self._document(study, each) for each in found]

    def judge(self, documents: Sequence[pydicom.Dataset], folder: Path) -> None:
        """All judges find nothing."""
        paths = []
        for document in documents:
            paths.append(folder / f"{document.SOPInstanceUID}.dcm")
            document.save_as(paths[-1], enforce_file_format=True)
        said = {path.name: errors(verdicts) for path, verdicts in judge_all(paths).items()}
        assert said == {path.name: [] for path in paths}

    def worker(self) -> psutil.Process:
        """The process that reads studies; a test may stop it for a while."""
        top = psutil.Process(self.agent.process.pid)
        return next(child for child in top.children(recursive=True) if "work" in child.cmdline())

    @contextmanager
    def also_serving(self, viewer_dir: Path, **web: Any) -> Iterator[str]:
        """A second web server of the same agent, with another viewer or other settings of `web`; its address."""
        settings = yaml.safe_load(self.agent.config.read_text())
        port = free_port()
        settings["web"] |= {"port": port, "viewer_dir": str(viewer_dir), **web}
        config = self.folder / f"web-{port}.yaml"
        config.write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-m", "pacs_agent", "--config", config, "web"]
        server = RunningProcess("a second web server", command, self.folder / f"web-{port}.log")
        try:
            server.wait_until(lambda: answers(port), timeout_s=90)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stop()

    @contextmanager
    def without_files(self, study: str) -> Iterator[None]:
        """The archived files of a study cannot be read, as with a disk that is away for a while."""
        query = (
            "SELECT digest FROM instances JOIN series ON series.id = series_pk JOIN studies ON studies.id = study_pk "
            "WHERE study_instance_uid = ?"
        )
        with closing(sqlite3.connect(self.agent.folder / "data" / "pacs-agent.sqlite")) as database:
            digests = [row[0] for row in database.execute(query, (study,))]
        files = [self.agent.folder / "data" / "archive" / digest[:2] / f"{digest}.dcm" for digest in digests]
        assert files, "the study has no files"
        for file in files:
            file.rename(file.with_suffix(".away"))
        try:
            yield
        finally:
            for file in files:
                file.with_suffix(".away").rename(file)

    @contextmanager
    def held(self) -> Iterator[Callable[[Any], None]]:
        """The worker stands still until the function given is called, or the block is left."""
        worker = self.worker()
        worker.send_signal(signal.SIGSTOP)

        def go_on(_detail: Any = None) -> None:
            worker.send_signal(signal.SIGCONT)

        try:
            yield go_on
        finally:
            go_on()

    @property
    def bearer(self) -> Mapping[str, str]:
        """Headers by which a machine is known."""
        return {"Authorization": f"Bearer {self._token}"}

    def _document(self, study: str, found: Mapping[str, Any]) -> pydicom.Dataset:
        series, instance = found["0020000E"]["Value"][0], found["00080018"]["Value"][0]
        url = f"{self.dicomweb.base_url}/studies/{study}/series/{series}/instances/{instance}"
        document: pydicom.Dataset = self.dicomweb.retrieve_instance(study, series, instance)
        assert document, url
        buffer = BytesIO()
        document.save_as(buffer, enforce_file_format=True)
        return pydicom.dcmread(BytesIO(buffer.getvalue()))

    def _write_settings(self, web: Mapping[str, Any]) -> None:
        settings = yaml.safe_load(self.agent.config.read_text())
        settings["web"] = {"port": self.agent.http_port, "token": self._token, **web}
        if self.pacs:
            settings["web"]["pacs"] = {"url": self.pacs.dicomweb_url}
        self.agent.config.write_text(yaml.safe_dump(settings))

    def _set_up(self) -> None:
        self.agent.allow(MODALITY)
        destinations = ""
        if self.pacs:
            self.agent.deliver_to("pacs", "stow", url=self.pacs.dicomweb_url)
            destinations = "pacs"
        self.agent.route(RULES.format(destinations=destinations))
        for account in (ADA, GRACE):
            self._add(account)

    def _add(self, account: Account) -> None:
        file = self.folder / f"{account.login}.password"
        file.write_text(account.password)
        file.chmod(0o600)
        self.agent.run(
            "user", "add", account.login, "--name", account.name, "--role", "reviewer", "--password-file", file
        )
