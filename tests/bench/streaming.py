"""Last image → results in the PACS, with slices read ahead and without: what is left to do when a study is complete.

A sender that costs little stores studies never seen before at the agent, at full speed or no faster than its encoder
encodes. The clock runs from the answer to the last C-STORE until both result objects are in an Orthanc, less the quiet
time. The agents with and without reading ahead are the same but for `ahead.enabled`, and take turns.

The agent uses the quiet time: it rehearses a study that pauses. It is given one second, where the default settings give
thirty; paced studies are timed with those as well. So that nothing hides there, studies whose images say how many they
are (0020,1208) are timed too: they are complete with their last image, and nothing is subtracted.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pydicom
from pydicom.uid import generate_uid

from pacs_agent.archive import EncodedInstance, split_part10
from pacs_agent.config import AssembleSettings, InferenceSettings, Settings
from pacs_agent.inference import installed_bundles
from pacs_agent.inference.activation import MEMORY
from pacs_agent.inference.verification import ensure_verified
from tests.bench.report import Report, Row
from tests.peers import Agent, Missing, Orthanc, pdus, until
from tests.peers.attacker import Attacker
from tests.peers.studies import CHEST_CT, copies, phantom_study, real_study, study_uid

QUIET_S = 1.0
USUAL_QUIET_S = AssembleSettings().quiet_s
RESULT_OBJECTS = 2
LONGEST_S = 900.0
LOOK_EVERY_S = 0.02
SLOWER_THAN_ENCODER = 1.5
"""Interval of paced images over the time that the encoder takes for one with all cores for itself, decoding and cache
included. On two cores reception, index and sender take some 2 ms of it."""
SENDER = "BENCHSENDER"
CONTEXT_ID = 3
"""Of the images' SOP class among those that are proposed."""
RULES = "rules:\n- {name: ct, when: {attribute: Modality, equals: CT}, pipeline: msvlm, destinations: [pacs]}"
WHAT = (
    "last image acknowledged → both result objects in Orthanc, less the quiet time if any; CT of 512 × 512, all new; "
    "peer: the same agent with ahead.enabled off, or the same agent with 60 slices"
)


@dataclass(frozen=True)
class Way:
    """One study's way: seconds without the quiet time, the seconds of its steps, and how fast it was received."""

    seconds: float
    steps: dict[str, float]
    images_per_s: float


@dataclass(frozen=True)
class Hospital:
    """An agent that delivers to an Orthanc."""

    agent: Agent
    pacs: Orthanc
    quiet_s: float

    def read(self, study: Sequence[Path], interval_s: float, *, counted: bool = False) -> Way:
        """Sends a study, an image each `interval_s` at the earliest, and waits for its results.

        `counted`: its images say how many they are, so that no quiet time is waited for.
        """
        wanted = self.pacs.count() + RESULT_OBJECTS
        begun_s, last_image_s = send(study, self.agent, interval_s)
        until(lambda: self.pacs.count() >= wanted, timeout_s=LONGEST_S, every_s=LOOK_EVERY_S, what="the results")
        seconds = time.perf_counter() - last_image_s - (0.0 if counted else self.quiet_s)
        job = self.agent.ended_job(study_uid(study))
        if job["state"] != "done":
            raise RuntimeError(f"the job ended as {job['state']}: {job['error']}")
        steps = {step["name"]: float(step["seconds"] or 0) for step in job["steps"]}
        until_stored = (taken for name, taken in steps.items() if not name.startswith("confirm:"))
        between = {"between the steps": seconds - sum(until_stored)}
        return Way(seconds, steps | between, len(study) / (last_image_s - begun_s))


def send(study: Sequence[Path], agent: Agent, interval_s: float) -> tuple[float, float]:
    """Stores a study in one association; when (by perf_counter) it began and when its last image was answered.

    Its images are of one SOP class. Messages are made before: the PACS that sends has a machine of its own, and takes
    as little of this one as it can.
    """
    with Attacker("127.0.0.1", agent.port, SENDER) as peer:
        instances = [split_part10(path.read_bytes()) for path in study]
        [sop_class] = {instance.sop_class_uid for instance in instances}
        association = peer.associate([pdus.Proposed(CONTEXT_ID, sop_class)], called=agent.ae_title)
        messages = [_message(instance) for instance in instances]
        begun_s = due_s = time.perf_counter()
        for message in messages:
            time.sleep(max(0.0, due_s - time.perf_counter()))
            due_s = max(due_s + interval_s, time.perf_counter())
            association.send(message)
            if (status := association.status()) != 0:
                raise RuntimeError(f"an image was refused: {status:04X}\n{agent.process.log_text[-4000:]}")
        answered_s = time.perf_counter()
        association.release()
    return begun_s, answered_s


def _message(instance: EncodedInstance) -> bytes:
    """C-STORE-RQ and data set of an instance in Explicit VR Little Endian, as PDUs of 16 kB."""
    command = pdus.store_rq(instance.sop_instance_uid, sop_class_uid=instance.sop_class_uid)
    return pdus.message(CONTEXT_ID, command, instance.data_set)


@contextmanager
def hospital(
    folder: Path,
    verified: Path,
    *,
    ahead: bool,
    quiet_s: float = QUIET_S,
    rules: str = RULES,
    models: Mapping[str, Any] = {},
) -> Iterator[Hospital]:
    """A running agent with its own Orthanc, with or without reading ahead. `verified`: models that passed here.

    `models`: settings of `inference` where other models than the installed ones read.
    """
    settings: dict[str, Any] = {
        "ahead": {"enabled": ahead},
        "assemble": {"quiet_s": quiet_s, "poll_s": 0.2, "ask_source": "off"},
        "inference": {"segment": False, **models},  # what segmenting adds is a part of its own
    }
    agent = Agent(folder / "agent", quiet_s=quiet_s, **settings)
    pacs = Orthanc(folder / "pacs")
    agent.allow(SENDER)
    agent.deliver_to("pacs", "dimse", host="127.0.0.1", port=pacs.port, called_ae=pacs.ae_title)
    agent.route(rules)
    shutil.copytree(verified, agent.folder / "data" / MEMORY, dirs_exist_ok=True)
    with pacs, agent:
        yield Hospital(agent, pacs, quiet_s)


def verify_models(folder: Path, settings: InferenceSettings | None = None) -> Path:
    """Verifies the models once for all agents, which would do it before their first study; gives the folder."""
    settings = settings or Settings().inference
    installed = installed_bundles(settings)
    for bundle in (*installed.bundles, *installed.staging):
        ensure_verified(bundle, settings, folder)
    return folder


def series_of(files: Sequence[Path], slices: int, folder: Path, *, counted: bool = False) -> list[Path]:
    """One series of any number of slices over the extent of a real one: its slices, repeated at places between.

    `counted`: each says how many the study has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    real = sorted(map(pydicom.dcmread, files), key=lambda one: float(one.ImagePositionPatient[2]))
    frame, low, high = generate_uid(), *(float(one.ImagePositionPatient[2]) for one in (real[0], real[-1]))
    written = []
    for number in range(slices):
        share = number / (slices - 1)
        one = real[round(share * (len(real) - 1))]
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        one.FrameOfReferenceUID, one.InstanceNumber = frame, number + 1
        one.ImagePositionPatient = [*one.ImagePositionPatient[:2], round(low + share * (high - low), 4)]
        if counted:
            one.NumberOfStudyRelatedInstances = slices
        written.append(folder / f"{number:04d}.dcm")
        one.save_as(written[-1])
    return written


class Rounds:
    """Studies of some sizes through agents with and without reading ahead, one after the other."""

    def __init__(self, files: Sequence[Path], folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.say = say
        self.ways: dict[str, list[Way]] = {}
        self._files = files
        self._series: dict[tuple[int, bool], list[Path]] = {}
        self._studies = 0

    def read(self, name: str, place: Hospital, slices: int, interval_s: float = 0.0, *, counted: bool = False) -> Way:
        """One new study; its way is kept under the name. `counted`: it is complete with its last image."""
        way = place.read(self._study(slices, counted), interval_s, counted=counted)
        self.ways.setdefault(name, []).append(way)
        listed = ", ".join(f"{step} {seconds:.2f}" for step, seconds in way.steps.items())
        self.say(f"{name}: {way.seconds:.2f} s ({listed}), received at {way.images_per_s:.0f} images/s")
        return way

    def seconds(self, name: str) -> list[float]:
        """Of all studies of a name."""
        return [way.seconds for way in self.ways[name]]

    def steps(self, name: str) -> dict[str, float]:
        """Medians of the steps."""
        ways = self.ways[name]
        return {step: median(way.steps.get(step, 0.0) for way in ways) for step in ways[0].steps}

    def p95_steps(self, name: str) -> dict[str, float]:
        """The 95th percentile of each step."""
        ways = self.ways[name]
        return {step: p95([way.steps.get(step, 0.0) for way in ways]) for step in ways[0].steps}

    def _study(self, slices: int, counted: bool) -> list[Path]:
        if (series := self._series.get((slices, counted))) is None:
            folder = self.folder / f"series-{slices}{'-counted' if counted else ''}"
            self._series[slices, counted] = series = series_of(self._files, slices, folder, counted=counted)
        self._studies += 1
        label = f"stream/{self._studies}"
        return copies(series, self.folder / f"study-{self._studies}", slices, label=label)


FAST_ON, FAST_OFF = "60 at full speed, ahead", "60 at full speed, not ahead"
PACED_60, PACED_600 = "60 paced", "600 paced"
COUNTED_60, COUNTED_600 = "60 paced, counted", "600 paced, counted"
USUAL_60, USUAL_600 = "60 paced, default quiet time", "600 paced, default quiet time"
USUAL_FAST = "60 at full speed, ahead, default quiet time"
P95_STUDIES = 20
AHEAD_GOAL, LONG_GOAL = 1 / 3, 1.3
"""Time of slices read ahead by that of the same agent that does not, and of 600 slices by that of 60: at most."""


def run(
    report: Report,
    files: Sequence[Path],
    rounds: int,
    folder: Path,
    say: Callable[[str], None],
    *,
    long: int = 600,
    p95_studies: int = P95_STUDIES,
) -> None:
    """Measures and adds the rows `stream.*`. `long` is the number of slices of the long study.

    Of studies of 60 slices that come at full speed, and paced, `p95_studies` are read in all.
    """
    taken = Rounds(files, folder, say)
    verified = verify_models(folder / "verified")
    with hospital(folder / "on", verified, ahead=True) as on, hospital(folder / "off", verified, ahead=False) as off:
        for place in (on, off):
            taken.read("warm-up", place, 60)
        for _ in range(rounds):
            taken.read(FAST_OFF, off, 60)
            taken.read(FAST_ON, on, 60)
        interval_s = median(way.steps["encode_missing"] for way in taken.ways[FAST_OFF]) / 60 * SLOWER_THAN_ENCODER
        say(f"paced: an image each {interval_s * 1000:.0f} ms")
        for _ in range(rounds):
            taken.read(PACED_60, on, 60, interval_s)
            taken.read(PACED_600, on, long, interval_s)
            taken.read(COUNTED_60, on, 60, interval_s, counted=True)
            taken.read(COUNTED_600, on, long, interval_s, counted=True)
        for _ in range(rounds, p95_studies):
            taken.read(FAST_ON, on, 60)
            taken.read(PACED_60, on, 60, interval_s)
    with hospital(folder / "usual", verified, ahead=True, quiet_s=USUAL_QUIET_S) as usual:
        for _ in range(rounds):
            taken.read(USUAL_60, usual, 60, interval_s)
            taken.read(USUAL_600, usual, long, interval_s)
            taken.read(USUAL_FAST, usual, 60)
    report.rows += rows(taken, long)
    most = max(rounds, p95_studies)
    report.data["streaming"] = (
        f"{rounds} studies of each kind, {most} of 60 slices read ahead; paced at {interval_s * 1000:.0f} ms an image"
    )
    named = [name for name in taken.ways if name != "warm-up"]
    report.steps |= {name: taken.steps(name) for name in named}
    report.steps |= {f"{name}, p95 of {len(taken.ways[name])}": taken.p95_steps(name) for name in named}


def rows(taken: Rounds, long: int) -> list[Row]:
    """The figures: medians, and the 95th percentile."""
    pairs = (
        ("stream.full_speed", "60 slices at full speed", FAST_ON, "streaming off", FAST_OFF, AHEAD_GOAL),
        (
            "stream.usual_full_speed",
            "60 slices at full speed, default quiet time",
            USUAL_FAST,
            "streaming off",  # which does nothing while it waits, so how long it waits is all the same
            FAST_OFF,
            AHEAD_GOAL,
        ),
        ("stream.paced", f"{long} slices, paced", PACED_600, "60 slices, paced", PACED_60, LONG_GOAL),
        (
            "stream.usual",
            f"{long} slices, paced, default quiet time",
            USUAL_600,
            "60 slices, the same",
            USUAL_60,
            LONG_GOAL,
        ),
        (
            "stream.counted",
            f"{long} slices, paced, no quiet time",
            COUNTED_600,
            "60 slices, the same",
            COUNTED_60,
            LONG_GOAL,
        ),
    )
    found = []
    for id_, label, name, peer, other, goal in pairs:
        ours, theirs = taken.seconds(name), taken.seconds(other)
        values = {"ours": ours, peer: theirs}
        found.append(Row(id_, label, WHAT, "s", "lower", median(ours), peer, median(theirs), rounds=values, goal=goal))
        high, other_high = p95(ours), p95(theirs)
        found.append(Row(f"{id_}.p95", f"{label}, p95", WHAT, "s", "lower", high, peer, other_high))
    speeds = {name: [way.images_per_s for way in taken.ways[name]] for name in (FAST_ON, FAST_OFF)}
    ours, theirs = speeds.values()
    label, peer = "images received while slices are read ahead", "streaming off"
    what = "60 images sent over one association at full speed, with and without ahead.enabled"
    values = {"ours": ours, peer: theirs}
    found.append(
        Row("stream.reception", label, what, "img/s", "higher", median(ours), peer, median(theirs), rounds=values)
    )
    return found


def p95(values: Sequence[float]) -> float:
    """The 95th percentile; of few values the largest."""
    return quantiles(values, n=20, method="inclusive")[18] if len(values) > 1 else values[0]


def main() -> None:
    """These figures alone: `python -m tests.bench.streaming`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, default=600)
    parser.add_argument("--p95-studies", type=int, default=P95_STUDIES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="streaming-") as name:
        folder = Path(name)
        try:
            files = real_study(CHEST_CT, folder / "real")
        except Missing:
            files = phantom_study(folder / "phantom", slices=133)
        report = Report({}, {}, {})
        run(report, files, asked.rounds, folder, print, long=asked.long, p95_studies=asked.p95_studies)
    for name, steps in report.steps.items():
        print(f"{name}: " + ", ".join(f"{step} {seconds:.3f}" for step, seconds in steps.items()))
    for row in report.rows:
        print(f"{row.id}: {row.ours:.2f} s, {row.peer} {row.peer_value:.2f} s, ratio {row.ratio:.2f}")


if __name__ == "__main__":
    main()
