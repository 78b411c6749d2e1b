"""Whether a bundle may run here: all that can be checked of it, in the order in which it would fail.

Signature, digests and schema; the graphs on every provider and in every precision, each saying what it said when it was
released; and the grounding test. A bundle that passed is remembered by its digest and by what it passed on, so that a
worker's next start does not wait for it again; signature and digests are checked at each start all the same.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import TypeVar

import onnxruntime

from pacs_agent import __version__
from pacs_agent.config import InferenceSettings
from pacs_agent.inference.bundle import AnyBundle, Bundle, SegmenterBundle, StagingBundle, load_any
from pacs_agent.inference.grounding import EVALUATION, GroundingReport, evaluated_grounding, grounding_test
from pacs_agent.inference.manifest import Precision
from pacs_agent.inference.refusal import BundleRefused, ModelFailed, ProviderUnavailable
from pacs_agent.inference.segmenter_self_test import segmenter_self_test
from pacs_agent.inference.self_test import SelfTestReport, self_test
from pacs_agent.inference.sessions import Provider, cuda_in_onnxruntime, precision_for
from pacs_agent.inference.staging.self_test import staging_self_test

B = TypeVar("B", Bundle, SegmenterBundle, StagingBundle)


class Outcome(StrEnum):
    """How a check came out."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class BundleCheck:
    """One thing checked, and what was found."""

    name: str
    outcome: Outcome
    found: str


@dataclass(frozen=True)
class Verification:
    """All that was checked of a bundle."""

    bundle: str
    checks: tuple[BundleCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(check.outcome is not Outcome.FAILED for check in self.checks)

    @property
    def faults(self) -> str:
        """What failed, in words."""
        return "; ".join(f"{one.name}: {one.found}" for one in self.checks if one.outcome is Outcome.FAILED)


def verify(folder: Path, settings: InferenceSettings) -> Verification:
    """Checks all of a bundle. What is wrong with it is in the answer, never raised."""
    return Verification(folder.name, tuple(checks_of(folder, settings)))


def checks_of(folder: Path, settings: InferenceSettings) -> Iterator[BundleCheck]:
    """The checks of a bundle, each as soon as it is done; those of the graphs take seconds to minutes."""
    try:
        bundle = load_any(folder, settings.trusted_keys)
    except BundleRefused as refusal:
        yield BundleCheck("signature and files", Outcome.FAILED, str(refusal))
        return
    yield from _files(bundle)
    if isinstance(bundle, SegmenterBundle):
        yield from _in_fp32(segmenter_self_test, bundle, settings)
        return
    if isinstance(bundle, StagingBundle):
        yield _depends_on_images(bundle)
        yield from _in_fp32(staging_self_test, bundle, settings)
        return
    yield _evaluation(bundle)
    yield from _self_tests(bundle, settings)
    yield from _groundings(bundle, settings)


def self_test_of(bundle: AnyBundle, settings: InferenceSettings) -> SelfTestReport:
    """The bundle's own test, by its task. Raises as the test does."""
    if isinstance(bundle, SegmenterBundle):
        return segmenter_self_test(bundle, settings)
    if isinstance(bundle, StagingBundle):
        return staging_self_test(bundle, settings)
    return self_test(bundle, settings)


def check_count(bundle: AnyBundle, settings: InferenceSettings) -> int:
    """About how many checks there will be, for people who wait."""
    if not isinstance(bundle, Bundle):
        return 2 + isinstance(bundle, StagingBundle) + len(_providers(settings))
    return 3 + len(_providers(settings)) * (3 + len(bundle.manifest.variants))


def ensure_verified(bundle: AnyBundle, settings: InferenceSettings, memory: Path) -> None:
    """Verifies a bundle unless it passed here before; `memory` is the folder in which that is remembered.

    Raises BundleRefused with what failed.
    """
    passed_before = memory / f"{_circumstances(bundle, settings)}.json"
    if passed_before.is_file():
        return
    verification = verify(bundle.folder, settings)
    if not verification.passed:
        remedy = f"it is not used; `pacs-agent model verify {bundle.folder.name}` shows every check"
        raise BundleRefused(bundle.folder.name, verification.faults, remedy)
    remember(bundle, settings, memory, verification)


def remember(bundle: AnyBundle, settings: InferenceSettings, memory: Path, verification: Verification) -> None:
    """Keeps that a bundle passed here; what failed is not kept."""
    if verification.passed:
        memory.mkdir(parents=True, exist_ok=True)
        path = memory / f"{_circumstances(bundle, settings)}.json"
        path.write_text(json.dumps(asdict(verification), indent=1), encoding="utf-8")


def _circumstances(bundle: AnyBundle, settings: InferenceSettings) -> str:
    """A digest of everything on which the outcome of the graphs' tests depends."""
    providers = ",".join(onnxruntime.get_available_providers())
    wanted = settings.provider, settings.precision, str(settings.tensorrt_dir)
    facts = (bundle.digest, *wanted, providers, onnxruntime.__version__, __version__)
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _files(bundle: AnyBundle) -> Iterator[BundleCheck]:
    signer = bundle.signer
    yield BundleCheck("signature", Outcome.PASSED, f"by {signer.name}, key {signer.key_id[:16]}")
    sizes = [path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file()]
    if unnamed := bundle.unnamed_files():
        found = f"{', '.join(unnamed[:3])}: the manifest does not name {len(unnamed)} files; remove them"
        yield BundleCheck("files", Outcome.FAILED, found)
    else:
        yield BundleCheck("files", Outcome.PASSED, f"{len(sizes)} files, {sum(sizes) / 1e6:.1f} MB, all as released")


def _evaluation(bundle: Bundle) -> BundleCheck:
    try:
        report = evaluated_grounding(bundle)
    except (BundleRefused, ValueError, AttributeError, TypeError) as error:
        return BundleCheck("evaluation", Outcome.FAILED, f"{EVALUATION} cannot be read: {error}")
    if report is None:
        return BundleCheck("evaluation", Outcome.SKIPPED, f"the bundle has no {EVALUATION}")
    return BundleCheck("evaluation", Outcome.PASSED if report.passed else Outcome.FAILED, report.summary)


def _depends_on_images(bundle: StagingBundle) -> BundleCheck:
    """What its own evaluation found: whether it says less of another patient's study, and of an empty one."""
    document = next((one for one in bundle.manifest.documents if one.file == EVALUATION), None)
    if document is None:
        return BundleCheck("evaluation", Outcome.SKIPPED, f"the bundle has no {EVALUATION}")
    try:
        depends = json.loads(bundle.read(document)).get("reads_the_image")
    except (BundleRefused, ValueError, RecursionError, AttributeError) as error:
        return BundleCheck("evaluation", Outcome.FAILED, f"{EVALUATION} cannot be read: {error}")
    if depends is None:
        return BundleCheck("evaluation", Outcome.SKIPPED, f"{EVALUATION} does not say whether the images are read")
    found = "the reading depends on the images" if depends else "the reading does not depend on the images"
    return BundleCheck("evaluation", Outcome.PASSED if depends else Outcome.FAILED, found)


def _self_tests(bundle: Bundle, settings: InferenceSettings) -> Iterator[BundleCheck]:
    precisions: list[Precision] = ["fp32", *bundle.manifest.variants]
    for provider, precision in product(_providers(settings), precisions):
        here = settings.model_copy(update={"provider": provider, "precision": precision})
        check = _check(self_test, bundle, here, f"self-test {precision} on {provider}")
        used = precision in ("fp32", precision_for(bundle.manifest, provider, settings.precision))
        if check.outcome is Outcome.FAILED and not used:
            check = BundleCheck(check.name, Outcome.SKIPPED, f"fails, and is not used here: {check.found}")
        yield check
    if settings.provider != "cpu" and not cuda_in_onnxruntime():
        yield BundleCheck("self-test on cuda", Outcome.SKIPPED, "this onnxruntime has no CUDA")


def _in_fp32(
    test: Callable[[B, InferenceSettings], SelfTestReport], bundle: B, settings: InferenceSettings
) -> Iterator[BundleCheck]:
    """The self-test of a bundle that has no other precision."""
    for provider in _providers(settings):
        here = settings.model_copy(update={"provider": provider})
        yield _check(test, bundle, here, f"self-test fp32 on {provider}")


def _check(
    test: Callable[[B, InferenceSettings], SelfTestReport | GroundingReport],
    bundle: B,
    settings: InferenceSettings,
    name: str,
) -> BundleCheck:
    try:
        report = test(bundle, settings)
    except ProviderUnavailable as missing:
        return BundleCheck(name, Outcome.SKIPPED, str(missing))
    except (BundleRefused, ModelFailed) as error:
        return BundleCheck(name, Outcome.FAILED, str(error))
    return BundleCheck(name, Outcome.PASSED if report.passed else Outcome.FAILED, report.summary)


def _groundings(bundle: Bundle, settings: InferenceSettings) -> Iterator[BundleCheck]:
    """In fp32 and in the precision that would run here."""
    for provider in _providers(settings):
        for precision in dict.fromkeys(("fp32", precision_for(bundle.manifest, provider, settings.precision))):
            here = settings.model_copy(update={"provider": provider, "precision": precision})
            yield _check(grounding_test, bundle, here, f"grounding {precision} on {provider}")


def _providers(settings: InferenceSettings) -> tuple[Provider, ...]:
    """The providers on which a bundle may come to run: the CPU also where a GPU is hoped for."""
    if settings.provider == "cpu" or not cuda_in_onnxruntime():
        return ("cpu",)
    return ("cpu", "cuda")
