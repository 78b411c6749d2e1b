"""What may go wrong when something is brought in."""


class BringInError(Exception):
    """A transfer that cannot be begun or went wrong: why, and what to do."""


class UnknownTransfer(LookupError):
    """There is no transfer of this id."""


class Canceled(Exception):
    """A person stopped the transfer."""


class Lost(Canceled):
    """Another process runs the transfer, or will: nothing of it is to be touched here any more."""
