"""What may go wrong with a delivery, by what to do about it."""


class DeliveryError(Exception):
    """Results did not reach a destination, or not all of them."""


class Unreachable(DeliveryError):
    """The destination did not answer, or said that it cannot take anything now. Trying again may help."""


class NotThere(Unreachable):
    """The destination accepted an object and does not have it, or not yet."""


class Unconfirmed(Unreachable):
    """The destination is set to confirm what it took, and does not say whether it has it."""


class Uncommitted(NotThere):
    """The destination did not say yet, or cannot be asked now, that it keeps what was sent for good."""


class Refused(DeliveryError):
    """The destination does not want what was sent, or is set up wrongly. Only a change by people helps."""


class NothingTaken(Refused):
    """The destination rejects every presentation context that was offered: it takes no objects of these SOP classes."""


class NeverConfirmed(Refused):
    """The destination is set to confirm what it took, and refuses to be asked for it."""


class NotCommitted(Refused):
    """The destination does not keep for good what was sent to it, or refuses to be asked."""


class WrongSettings(ValueError):
    """Settings that are not those of this kind of destination."""
