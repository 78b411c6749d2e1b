"""Why an instance is refused, with the status its sender is told (PS3.4 B.2.3, PS3.18 I.2.2)."""


class Refusal(Exception):
    """An instance that is not taken. `status` is the C-STORE status and STOW-RS failure reason; the text is audited."""

    status = 0xC000
    reason = "cannot-understand"


class OutOfResources(Refusal):
    """Disk, memory or database did not take the instance: it may be sent again."""

    status = 0xA700
    reason = "out-of-resources"


class IdentityMismatch(Refusal):
    """A UID is missing, malformed, or another than announced."""

    status = 0xA900
    reason = "identity-mismatch"


class ReusedUID(Refusal):
    """The SOP Instance UID is archived with other content."""

    status = 0xA901
    reason = "uid-reused"


class CannotUnderstand(Refusal):
    """The data set cannot be decoded as announced, or is cut off."""


class ClassNotSupported(Refusal):
    """An instance of a SOP class, or in a transfer syntax, that the agent does not take."""

    status = 0x0122
    reason = "not-supported"
