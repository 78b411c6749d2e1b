"""What is said when an address cannot be bound."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import click

_TAKEN_OR_FORBIDDEN = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


@contextmanager
def port_to_bind(host: str, port: int, section: str) -> Iterator[None]:
    """Says in words what is wrong with an address that cannot be bound; the process then ends with code 2."""
    try:
        yield
    except OSError as error:
        if error.errno not in _TAKEN_OR_FORBIDDEN:
            raise
        advice = f"change {section}.host or {section}.port, or stop the other program"
        raise click.UsageError(f"{host}:{port} cannot be bound: {error.strerror}; {advice}") from error
