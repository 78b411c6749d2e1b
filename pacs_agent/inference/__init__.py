"""Model bundles are loaded and run: slices become tokens, tokens a reading, a reading sentences with their evidence.

In: a bundle's folder and an OrderedSeries. Out: a StudyReading. May fail: BundleRefused and ProviderUnavailable when a
model must not run here, ModelFailed when it stopped or gave no meaning, and imaging's UnusableSlice.
"""

from pacs_agent.inference.activation import (
    BundlesInUse,
    NothingToRollBack,
    activate,
    activated_digests,
    activation_count,
    bundles_in_use,
    roll_back,
    version_key,
)
from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.bundle import Bundle, InstalledBundles, bundle_folders, installed_bundles, load_bundle
from pacs_agent.inference.encode import Encoding
from pacs_agent.inference.heat import Heat
from pacs_agent.inference.manifest import AcceptedInput, FindingEntry, Manifest
from pacs_agent.inference.reader import EvidenceWeights, RawReading, Reader
from pacs_agent.inference.reading import (
    BundleIdentity,
    Code,
    EvidenceMethod,
    FindingLabel,
    FindingReading,
    Presence,
    Sentence,
    SliceEvidence,
    StudyReading,
    TokensRead,
)
from pacs_agent.inference.refusal import BundleRefused, InferenceError, ModelFailed, ProviderUnavailable
from pacs_agent.inference.self_test import SelfTestReport, self_test
from pacs_agent.inference.shown_heat import HeatGone, heat_of_reading
from pacs_agent.inference.signature import Signer, trusted_keys
from pacs_agent.inference.verification import BundleCheck, Verification, verify

__all__ = [
    "AcceptedInput",
    "Attributes",
    "Bundle",
    "BundleCheck",
    "BundleIdentity",
    "BundleRefused",
    "BundlesInUse",
    "Code",
    "Encoding",
    "EvidenceMethod",
    "EvidenceWeights",
    "FindingEntry",
    "FindingLabel",
    "FindingReading",
    "Heat",
    "HeatGone",
    "InferenceError",
    "InstalledBundles",
    "Manifest",
    "ModelFailed",
    "NothingToRollBack",
    "Presence",
    "ProviderUnavailable",
    "RawReading",
    "Reader",
    "SelfTestReport",
    "Sentence",
    "Signer",
    "SliceEvidence",
    "StudyReading",
    "TokensRead",
    "Verification",
    "activate",
    "activated_digests",
    "activation_count",
    "bundle_folders",
    "bundles_in_use",
    "heat_of_reading",
    "installed_bundles",
    "load_bundle",
    "roll_back",
    "self_test",
    "trusted_keys",
    "verify",
    "version_key",
]
