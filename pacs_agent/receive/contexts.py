"""Which presentation contexts are accepted (PS3.8 7.1.1.13): storage in every transfer syntax, and verification."""

from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import Verification

from pacs_agent.archive import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES

VERIFICATION_TRANSFER_SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")


def supported_contexts(*, may_echo: bool, may_store: bool) -> list[PresentationContext]:
    """The contexts offered to a peer with these rights; of several transfer syntaxes the first in our table wins."""
    contexts = []
    if may_echo:
        contexts.append(build_context(Verification, list(VERIFICATION_TRANSFER_SYNTAXES)))
    if may_store:
        contexts += [build_context(uid, list(TRANSFER_SYNTAXES)) for uid in STORAGE_SOP_CLASSES]
    return contexts
