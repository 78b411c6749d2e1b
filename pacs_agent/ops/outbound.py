"""Addresses that people configure and that the agent asks: a filter, so that nobody reaches by us what he should not.

A server that asks whatever address a person types in can be made to ask for others: the metadata service of a cloud, a
device in the own network segment, itself (OWASP, Server Side Request Forgery). So every name is resolved when a
connection is made, every address it stands for is checked, and the connection goes to a checked one: a name that means
another address a moment later gains nothing. Redirects are never followed.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from pacs_agent.config import WebSettings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
"""Metadata services outside the link-local networks: Alibaba, Azure, Oracle, AWS and Google over IPv6."""

_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}\.?", re.ASCII | re.IGNORECASE)


class AddressRefused(ValueError):
    """An address that the agent does not ask. No error of `requests`, so that nobody takes it for a broken network."""


@dataclass(frozen=True)
class Outbound:
    """Which addresses may be asked. `loopback`: also those of this machine."""

    loopback: bool = True

    def check_url(self, url: str) -> None:
        """Raises AddressRefused when a URL is malformed or its host, if it can be resolved now, must not be asked."""
        self.check_host(*_checked_parts(url))

    def check_host(self, host: str, port: int) -> None:
        """Raises AddressRefused when a host, if it can be resolved now, must not be asked."""
        try:
            self.addresses(host, port)
        except OSError:
            return  # nobody knows the name now; it is checked again whenever a connection is made

    def addresses(self, host: str, port: int) -> list[str]:
        """The IP addresses of a host, all of them checked. Raises AddressRefused; OSError for an unknown name."""
        if _NUMBER.fullmatch(host) and not _is_plain(host):
            raise AddressRefused(f"{host!r} is a number in disguise; write an address as four decimal numbers")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise AddressRefused(f"{host[:64]!r} is no name of a host") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if objection := self.objection(address):
                raise AddressRefused(f"{host} {objection}")
        return addresses

    def objection(self, address: str) -> str:
        """Why an IP address is not asked, in words; empty when it may be."""
        whole = ipaddress.ip_address(address.partition("%")[0])
        for one in (whole, *_inner(whole)):
            if one.is_loopback and not self.loopback:
                return "is this machine, which is not asked; set web.outbound_loopback to allow it"
            if kind := _forbidden_kind(one):
                return f"is {kind}, which is never asked; give the address of the service itself"
        return ""

    def session(self, connections: int = 4) -> requests.Session:
        """HTTP that asks only such addresses, follows no redirect, keeps no cookie, and uses no proxy of the system."""
        session = _Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(self, pool_connections=connections, pool_maxsize=connections)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session


def outbound_of(settings: WebSettings) -> Outbound:
    """What the settings allow: without a word of them, this machine while only this machine reaches the web server."""
    if settings.outbound_loopback is not None:
        return Outbound(settings.outbound_loopback)
    host = settings.host.strip("[]")
    return Outbound(not settings.behind_tls_proxy and (host == "localhost" or _is_loopback(host)))


def _checked_parts(url: str) -> tuple[str, int]:
    """Host and port of a URL that is what it looks like."""
    if re.search(r"[\s\\\x00-\x1f\x7f]", url):
        raise AddressRefused("a URL has no spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressRefused(f"{url!r} is not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise AddressRefused(f"{url!r} is not an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("leave user and password out of the URL")
    return host, port or (443 if parts.scheme == "https" else 80)


def _is_plain(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _inner(address: IPAddress) -> Iterator[IPAddress]:
    """The IPv4 addresses that an IPv6 address carries: mapped, 6to4, Teredo, NAT64, compatible (RFC 4291, 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
        if inner is not None:
            yield inner
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _forbidden_kind(address: IPAddress) -> str:
    if address in METADATA:
        return "the metadata service of a cloud"
    if address.is_link_local:
        return "a link-local address (where clouds keep their metadata service)"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified or (address.version == 4 and address in _THIS_NETWORK):
        return "an unspecified address"
    if address.version == 4 and address.is_reserved:
        return "a reserved or broadcast address"
    return ""


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: no answer leads anywhere else."""
        return


class _Adapter(HTTPAdapter):
    """Connects by the classes below."""

    def __init__(self, outbound: Outbound, **pool: Any) -> None:
        self._outbound = outbound
        super().__init__(**pool)

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = _pools(self._outbound)


def _pools(outbound: Outbound) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, super()._new_conn, outbound)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, super()._new_conn, outbound)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connected(connection: HTTPConnection, connect: Any, outbound: Outbound) -> socket.socket:
    """A socket to the first checked address that answers; for TLS and the Host header the name stays the URL's."""
    name = connection._dns_host  # what urllib3 resolves when it connects; it has no public name
    try:
        addresses = outbound.addresses(name, connection.port or connection.default_port)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    failure: Exception | None = None
    for address in addresses:
        connection._dns_host = address
        try:
            made: socket.socket = connect()
            return made
        except (NewConnectionError, ConnectTimeoutError) as error:
            failure = error
        finally:
            connection._dns_host = name
    raise failure or NewConnectionError(connection, f"no address of {name}")
