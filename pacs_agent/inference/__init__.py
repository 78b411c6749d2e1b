"""Model bundles are loaded and run: slices become tokens, tokens a reading, a reading sentences with their evidence.

In: a bundle's folder and an OrderedSeries. Out: a StudyReading. May fail: BundleRefused and ProviderUnavailable when a
model must not run here, ModelFailed when it stopped or gave no meaning, and imaging's UnusableSlice.
"""

from pacs_agent.inference.activation import (
    BundlesInUse,
    NothingToRollBack,
    activate,
    activated_digests,
    bundles_in_use,
    chosen_bundles,
    roll_back,
    uses_stamp,
    version_key,
)
from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.bundle import (
    AnyBundle,
    Bundle,
    InstalledBundles,
    SegmenterBundle,
    StagingBundle,
    bundle_folders,
    installed_bundles,
    installed_stamp,
    load_any,
    load_bundle,
)
from pacs_agent.inference.checking import CheckRuns, Checks
from pacs_agent.inference.compare import Comparison, FindingCompared, compare, pair_of
from pacs_agent.inference.drift import FindingDrift, InputDrift, ModelDrift, Share, drift_of, versions_read
from pacs_agent.inference.encode import EncoderInput, Encoding, SliceEncoder
from pacs_agent.inference.evaluated import Evaluated, evaluation_of
from pacs_agent.inference.heat import Heat
from pacs_agent.inference.install import install
from pacs_agent.inference.intervals import wilson
from pacs_agent.inference.manifest import AcceptedInput, FindingEntry, Manifest
from pacs_agent.inference.measured import measurements_of
from pacs_agent.inference.reader import EvidenceWeights, RawReading, Reader
from pacs_agent.inference.reading import (
    BundleIdentity,
    Code,
    EvidenceMethod,
    FindingLabel,
    FindingReading,
    Presence,
    SaliencyMap,
    Sentence,
    SliceEvidence,
    StudyReading,
    TokensRead,
)
from pacs_agent.inference.recall import RecallRefused, lift_recall, recall, recall_of, recalls, recalls_changed
from pacs_agent.inference.refusal import BundleRefused, InferenceError, ModelFailed, ProviderUnavailable
from pacs_agent.inference.segmented import Segmentation, SegmentedRegion
from pacs_agent.inference.segmenter import Segmented, Segmenter
from pacs_agent.inference.self_test import SelfTestReport, self_test
from pacs_agent.inference.shadow import (
    ShadowRefused,
    end_shadow,
    name_of,
    newest_shadow,
    running_shadow,
    shadow_bundle,
    start_shadow,
    verb_of,
)
from pacs_agent.inference.shown_heat import HeatGone, heat_of_reading, heats_of_reading
from pacs_agent.inference.signature import Signer, trusted_keys
from pacs_agent.inference.staging.encode import StudyEncoding
from pacs_agent.inference.staging.reader import RawStaging, StagingReader
from pacs_agent.inference.staging.study import ReadStudy, StudyChoice, choose_stacks
from pacs_agent.inference.statistics import count_reading, week_of
from pacs_agent.inference.tokens import token_key
from pacs_agent.inference.turns import Turns
from pacs_agent.inference.verification import BundleCheck, Verification, self_test_of, verify

__all__ = [
    "AcceptedInput",
    "AnyBundle",
    "Attributes",
    "Bundle",
    "BundleCheck",
    "BundleIdentity",
    "BundleRefused",
    "BundlesInUse",
    "CheckRuns",
    "Checks",
    "Code",
    "Comparison",
    "EncoderInput",
    "Encoding",
    "Evaluated",
    "EvidenceMethod",
    "EvidenceWeights",
    "FindingCompared",
    "FindingDrift",
    "FindingEntry",
    "FindingLabel",
    "FindingReading",
    "Heat",
    "HeatGone",
    "InferenceError",
    "InputDrift",
    "InstalledBundles",
    "Manifest",
    "ModelDrift",
    "ModelFailed",
    "NothingToRollBack",
    "Presence",
    "ProviderUnavailable",
    "RawReading",
    "RawStaging",
    "ReadStudy",
    "Reader",
    "RecallRefused",
    "SaliencyMap",
    "Segmentation",
    "Segmented",
    "SegmentedRegion",
    "Segmenter",
    "SegmenterBundle",
    "SelfTestReport",
    "Sentence",
    "ShadowRefused",
    "Share",
    "Signer",
    "SliceEncoder",
    "SliceEvidence",
    "StagingBundle",
    "StagingReader",
    "StudyChoice",
    "StudyEncoding",
    "StudyReading",
    "TokensRead",
    "Turns",
    "Verification",
    "activate",
    "activated_digests",
    "bundle_folders",
    "bundles_in_use",
    "choose_stacks",
    "chosen_bundles",
    "compare",
    "count_reading",
    "drift_of",
    "end_shadow",
    "evaluation_of",
    "heat_of_reading",
    "heats_of_reading",
    "install",
    "installed_bundles",
    "installed_stamp",
    "lift_recall",
    "load_any",
    "load_bundle",
    "measurements_of",
    "name_of",
    "newest_shadow",
    "pair_of",
    "recall",
    "recall_of",
    "recalls",
    "recalls_changed",
    "roll_back",
    "running_shadow",
    "self_test",
    "self_test_of",
    "shadow_bundle",
    "start_shadow",
    "token_key",
    "trusted_keys",
    "uses_stamp",
    "verb_of",
    "verify",
    "version_key",
    "versions_read",
    "week_of",
    "wilson",
]
