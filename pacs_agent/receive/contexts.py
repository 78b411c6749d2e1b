"""Which presentation contexts are accepted (PS3.8 7.1.1.13): storage, its commitment, and verification."""

from functools import cache

from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from pacs_agent.archive import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES

SERVICE_TRANSFER_SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")


@cache
def supported_contexts(*, may_echo: bool, may_store: bool) -> list[PresentationContext]:
    """The contexts offered to a peer with these rights; of several transfer syntaxes the first in our table wins."""
    contexts = []
    if may_echo:
        contexts.append(build_context(Verification, list(SERVICE_TRANSFER_SYNTAXES)))
    if may_store:
        contexts += [build_context(uid, list(TRANSFER_SYNTAXES)) for uid in STORAGE_SOP_CLASSES]
        contexts.append(_commitment())
    return contexts


def _commitment() -> PresentationContext:
    """In both roles (PS3.7 D.3.3.4): peers ask us, and send the results of what we asked on associations of theirs."""
    context = build_context(StorageCommitmentPushModel, list(SERVICE_TRANSFER_SYNTAXES))
    context.scu_role = context.scp_role = True
    return context


def is_storage(sop_class_uid: str) -> bool:
    """Whether instances of this class are taken."""
    return sop_class_uid in STORAGE_SOP_CLASSES
