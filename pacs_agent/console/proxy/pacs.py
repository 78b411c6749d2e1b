"""The configured PACS as a client sees it: one pool of connections, the agent's login, errors in words."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from itertools import chain

import requests
from werkzeug.exceptions import BadGateway, GatewayTimeout

from pacs_agent.config import PacsDicomWeb
from pacs_agent.ops import get_log
from pacs_agent.ops.outbound import AddressRefused, Outbound

CONNECT_S = 5.0
SILENCE_S = 60.0
"""Longest time without a byte: a large series may take a PACS a while to find."""
PIECE_BYTES = 65536

log = get_log("pacs")


class Pacs:
    """Reads from one PACS. Safe for any number of threads."""

    def __init__(self, settings: PacsDicomWeb, connections: int) -> None:
        """`connections` is how many are kept open."""
        self._settings = settings
        self._login = _login(settings)
        self._timeout_s = (CONNECT_S, SILENCE_S)
        self._http = Outbound().session(connections)  # this machine too: who writes its address may allow that as well
        self._http.verify = str(settings.ca_file) if settings.ca_file else True

    def ask(self, method: str, path: str, query: bytes, headers: Mapping[str, str]) -> requests.Response:
        """The answer, its body not yet read: read it by `pieces`, or close it.

        Raises BadGateway or GatewayTimeout, in words, when there is none that can be given.
        """
        address = f"{self._settings.url}/{path}" + (f"?{query.decode('latin-1')}" if query else "")
        try:
            return self._http.request(
                method,
                address,
                headers={**headers, **self._login},
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,
            )
        except AddressRefused as error:
            raise self._failed(f"{error}; correct web.pacs.url", error) from error
        except requests.exceptions.SSLError as error:
            raise self._failed("its certificate is not trusted; set web.pacs.ca_file", error) from error
        except requests.Timeout as error:
            log.warning("pacs too slow", pacs=self._settings.url, error=type(error).__name__)
            raise GatewayTimeout("the PACS does not answer in time; try again, or ask who runs it") from error
        except requests.RequestException as error:
            raise self._failed("it cannot be reached; ask who runs it", error) from error
        except OSError as error:  # requests says so of certificates that are not there
            raise self._failed("web.pacs.ca_file cannot be read", error) from error

    def _failed(self, why: str, error: Exception) -> BadGateway:
        log.warning("pacs failed", pacs=self._settings.url, why=why, error=type(error).__name__)
        return BadGateway(f"the PACS gave no answer: {why}")


def _login(settings: PacsDicomWeb) -> dict[str, str]:
    """The agent's login at the PACS. RFC 6750, or RFC 7617 in UTF-8."""
    if settings.token:
        return {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    if settings.user is None or settings.password is None:
        return {}
    both = f"{settings.user}:{settings.password.get_secret_value()}".encode()
    return {"Authorization": f"Basic {b64encode(both).decode()}"}


def pieces(answer: requests.Response) -> Iterator[bytes]:
    """The body as it comes, decompressed. Raises BadGateway when not even its beginning comes.

    A connection that breaks off later breaks ours off too, so that half of a body is never taken for the whole.
    """
    body: Iterator[bytes] = answer.iter_content(PIECE_BYTES)
    try:
        first = next(body, b"")
    except requests.RequestException as error:
        answer.close()
        raise BadGateway("the PACS broke its answer off; try again") from error
    return chain((first,), body)
