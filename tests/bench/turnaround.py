"""Seconds from the last image of a study to the result in the PACS: ours beside dicom-ai-router, Orthanc as the PACS.

An Orthanc of its own stands before each contender, with the shipped auto-routing. The study is put into that Orthanc,
which sends it on when it is stable. The clock runs from the end of Orthanc's store job (the contender has acknowledged
the last image) until both result objects are in Orthanc. The contender's quiet time lies within; it is subtracted and
reported separately.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from tests.bench.report import Report, Row
from tests.peers import Agent, AiRouter, Missing, Orthanc, StoreScp, until
from tests.peers.studies import copies, study_uid

QUIET_S = 1.0
STABLE_AGE_S = 1
RESULT_OBJECTS = 2
LONGEST_S = 600.0
LOOK_EVERY_S = 0.02
RULES = """
rules:
  - name: every CT
    when: {attribute: Modality, equals: CT}
    pipeline: msvlm
    destinations: [pacs]
"""


class Reader(Protocol):
    """What stands behind Orthanc and reads studies: gives the seconds of its own steps."""

    def steps(self, study: str) -> dict[str, float]:
        """Seconds of each of its steps for a study it has read."""


@dataclass(frozen=True)
class Stage:
    """A contender with its Orthanc."""

    name: str
    pacs: Orthanc
    reader: Reader


@dataclass(frozen=True)
class Turnaround:
    """One study's way: seconds without the quiet time, and where they went."""

    seconds: float
    transit_s: float
    steps: dict[str, float]


@dataclass(frozen=True)
class _OurSteps:
    agent: Agent

    def steps(self, study: str) -> dict[str, float]:
        job = self.agent.ended_job(study)
        if job["state"] != "done":
            raise RuntimeError(f"the job ended as {job['state']}: {job['error']}")
        return {step["name"]: float(step["seconds"] or 0) for step in job["steps"]} | {"whole job": job["seconds"]}


@dataclass(frozen=True)
class _RouterSteps:
    router: AiRouter

    def steps(self, study: str) -> dict[str, float]:
        until(lambda: self._done(study), timeout_s=30, what="dicom-ai-router to finish")
        return self.router.step_seconds(study)

    def _done(self, study: str) -> bool:
        row = next(row for row in self.router.studies() if row["study_uid"] == study)
        if row["state"] == "FAILED":
            raise RuntimeError(f"dicom-ai-router failed: {row['error']}")
        return bool(row["state"] == "DONE")


@contextmanager
def _ours(folder: Path) -> Iterator[Stage]:
    agent = Agent(folder / "agent", quiet_s=QUIET_S, inference={"segment": False})  # the peers outline nothing
    pacs = Orthanc(folder / "pacs", stable_age_s=STABLE_AGE_S)
    pacs.route_to(agent.ae_title, agent.port)
    agent.allow(pacs.ae_title)
    agent.deliver_to("pacs", "dimse", host="127.0.0.1", port=pacs.port, called_ae=pacs.ae_title)
    agent.route(RULES)
    with agent, pacs:
        yield Stage("pacs-agent", pacs, _OurSteps(agent))


@contextmanager
def _router(folder: Path) -> Iterator[Stage]:
    pacs = Orthanc(folder / "pacs", stable_age_s=STABLE_AGE_S)
    router = AiRouter(folder / "router", pacs=(pacs.ae_title, pacs.port), quiet_s=QUIET_S)
    pacs.route_to(router.ae_title, router.port)
    with router, pacs:
        yield Stage("dicom-ai-router", pacs, _RouterSteps(router))


def run(report: Report, files: Sequence[Path], rounds: int, folder: Path, say: Callable[[str], None]) -> None:
    """Measures all contenders and adds the rows to the report. The first study of each warms up and is not counted."""
    taken: dict[str, list[Turnaround]] = {}
    with ExitStack() as stack:
        stages = [stack.enter_context(_ours(folder / "ours")), *_peer_stages(stack, folder, report)]
        for number in range(rounds + 1):
            for stage in stages:
                study = copies(files, folder / f"{stage.name}-{number}", len(files), label=f"{stage.name}/{number}")
                measured = _measure(stage, study)
                say(f"study {number} through {stage.name}: {measured.seconds:.2f} s after the quiet time")
                if number:
                    taken.setdefault(stage.name, []).append(measured)
    forwarded = _forwarding(files, folder / "forward", rounds, report, say)
    _add_rows(report, taken, forwarded, len(files))


def _peer_stages(stack: ExitStack, folder: Path, report: Report) -> list[Stage]:
    try:
        report.versions["dicom-ai-router"] = AiRouter.version()
        return [stack.enter_context(_router(folder / "ai-router"))]
    except Missing as missing:
        report.notes.append(f"dicom-ai-router left out: {missing}")
        return []


def _measure(stage: Stage, study: Sequence[Path]) -> Turnaround:
    """One study through one contender."""
    jobs, instances = len(stage.pacs.store_jobs()), stage.pacs.count()
    stage.pacs.upload(study)
    wanted = instances + len(study) + RESULT_OBJECTS
    until(
        lambda: stage.pacs.count() >= wanted, timeout_s=LONGEST_S, every_s=LOOK_EVERY_S, what=f"results of {stage.name}"
    )
    arrived = datetime.now(UTC)
    store = stage.pacs.store_jobs()[jobs]
    seconds = (arrived - _time(store, "CompletionTime")).total_seconds() - QUIET_S
    return Turnaround(seconds, float(store["EffectiveRuntime"]), stage.reader.steps(study_uid(study)))


def _time(job: dict[str, Any], key: str) -> datetime:
    """A time of an Orthanc job; Orthanc writes UTC without saying so."""
    return datetime.strptime(job[key], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)


def _forwarding(
    files: Sequence[Path], folder: Path, rounds: int, report: Report, say: Callable[[str], None]
) -> list[float]:
    """Seconds from the last image in Orthanc until the whole study is at a storescp, less the stable age."""
    seconds = []
    report.versions["Orthanc"] = Orthanc.version()
    pacs = Orthanc(folder / "pacs", stable_age_s=STABLE_AGE_S)
    with StoreScp(folder / "scp") as scp:
        pacs.route_to(scp.ae_title, scp.port)
        with pacs:
            for number in range(rounds):
                study = copies(files, folder / str(number), len(files), label=f"forward/{number}")
                seconds.append(_forwarded(pacs, scp, study))
                say(f"study {number} forwarded by Orthanc alone: {seconds[-1]:.2f} s after its stable age")
    return seconds


def _forwarded(pacs: Orthanc, scp: StoreScp, study: Sequence[Path]) -> float:
    wanted = scp.count() + len(study)
    pacs.upload(study)
    start = time.perf_counter()
    until(lambda: scp.count() >= wanted, timeout_s=60, every_s=LOOK_EVERY_S, what="the study forwarded")
    return time.perf_counter() - start - STABLE_AGE_S


def _add_rows(report: Report, taken: dict[str, list[Turnaround]], forwarded: list[float], images: int) -> None:
    seconds = {name: [one.seconds for one in many] for name, many in taken.items()}
    ours = seconds["pacs-agent"]
    clock = f"turnaround of {images} CT never seen before: last image acknowledged → both result objects in Orthanc, "
    clock += f"less the quiet time of {QUIET_S:g} s. pacs-agent: network on every slice, evidence, TID 1500 and text SR"
    if "dicom-ai-router" in seconds:
        what = f"{clock}; dicom-ai-router: no network, a threshold on every slice, text SR and key image"
        report.rows.append(_row("turnaround.ai_router", what, ours, "dicom-ai-router", seconds["dicom-ai-router"]))
    what = f"{clock}; Orthanc reads nothing: last image in it → whole study at a storescp, less StableAge (a floor)"
    report.rows.append(_row("turnaround.orthanc", what, ours, "Orthanc forwarding", forwarded))
    report.data["quiet time"] = f"{QUIET_S:g} s, not in the turnaround"
    report.steps |= {name: _median_steps(many) for name, many in taken.items()}


def _median_steps(many: list[Turnaround]) -> dict[str, float]:
    names = dict.fromkeys(step for one in many for step in one.steps)
    steps = {name: median(one.steps.get(name, 0.0) for one in many) for name in names}
    return {"transit from Orthanc": median(one.transit_s for one in many), **steps}


def _row(id_: str, what: str, ours: list[float], peer: str, theirs: list[float]) -> Row:
    rounds = {"ours": ours, peer: theirs}
    return Row(
        id_, "last image → result in PACS", what, "s", "lower", median(ours), peer, median(theirs), rounds=rounds
    )
