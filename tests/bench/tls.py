"""Images received per second over TLS, beside the same receiver without it, and beside dcmtk's storescp over TLS."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.reception import (
    ASSOCIATIONS,
    CALLING_AE,
    OURS,
    Contender,
    Load,
    Measured,
    NotStored,
    Receiver,
    measure,
)
from tests.bench.report import Report, Row
from tests.peers import Agent, Missing, StoreScp, free_port, storescu_each
from tests.peers.certificates import Authority, Pair

PLAIN, OVER_TLS, DCMTK = "plain", "tls", "dcmtk"
GOAL = 0.85
"""Share of the plain speed that TLS must keep."""


@dataclass(frozen=True)
class Trust:
    """An authority, the receiver's certificate and the sender's."""

    authority: Authority
    receiver: Pair
    sender: Pair

    @classmethod
    def made(cls, folder: Path) -> "Trust":
        """New ones: RSA of 2048 bits, so that the cipher and not the handshake is measured."""
        authority = Authority(folder)
        return cls(authority, authority.issue("127.0.0.1"), authority.issue("bench.example"))

    def options(self, pair: Pair) -> list[str]:
        """Options of dcmtk for mutual TLS."""
        return ["+tls", str(pair.key), str(pair.certificate), "+cf", str(self.authority.file)]


def run(report: Report, load: Load, rounds: int, folder: Path, say: Callable[[str], None]) -> None:
    """Measures all contenders in turn and adds the rows to the report."""
    contenders = _contenders(Trust.made(folder / "certificates"), report)
    taken: dict[tuple[str, int], list[Measured]] = {}
    for number in range(rounds):
        turn = number % len(contenders)
        for associations in ASSOCIATIONS:
            for contender in contenders[turn:] + contenders[:turn]:
                measured = measure(contender, load, associations, folder / contender.key)
                taken.setdefault((contender.key, associations), []).append(measured)
                say(f"round {number + 1}, {associations} association(s), {contender.name}: {measured.spoken}")
    for associations in ASSOCIATIONS:
        report.rows += _rows(taken, associations, load)


def _contenders(trust: Trust, report: Report) -> list[Contender]:
    ours = Contender(OVER_TLS, "pacs-agent receive, TLS", OURS.promise, lambda f: _our_listener(f, trust), _to(trust))
    found = [Contender(PLAIN, "pacs-agent receive, plain", OURS.promise, OURS.start, OURS.send), ours]
    try:
        report.versions["dcmtk storescp --fork"] = StoreScp.version()
    except Missing as missing:
        report.notes.append(f"dcmtk left out: {missing}")
        return found
    storescp = Contender(
        DCMTK,
        "dcmtk storescp --fork, TLS",
        "written, not synced",
        lambda f: StoreScp(f, options=trust.options(trust.receiver)),
        _to(trust),
    )
    return [*found, storescp]


class _TlsAgent(Agent):
    """Our listener; `port` is that of DICOM over TLS."""

    def __init__(self, folder: Path, trust: Trust) -> None:
        plain, secured = free_port(), free_port()
        files = {"certificate": trust.receiver.certificate, "key": trust.receiver.key, "ca_file": trust.authority.file}
        tls = {name: str(path) for name, path in files.items()} | {"port": secured}
        super().__init__(folder, subcommand="receive", dimse={"ae_title": self.ae_title, "port": plain, "tls": tls})
        self.port = secured


@contextmanager
def _our_listener(folder: Path, trust: Trust) -> Iterator[Receiver]:
    agent = _TlsAgent(folder, trust)
    agent.allow(CALLING_AE)
    with agent:
        yield agent


def _to(trust: Trust) -> Callable[[Sequence[Path], Receiver], float]:
    def send(folders: Sequence[Path], receiver: Receiver) -> float:
        options = trust.options(trust.sender)
        sent = storescu_each(folders, receiver.port, receiver.ae_title, calling_ae=CALLING_AE, options=options)
        failed = [one.output for one in sent if one.code]
        if failed:
            raise NotStored(f"storescu over TLS to {receiver.ae_title} failed: {failed[0][-1000:]}")
        return max(one.seconds for one in sent)

    return send


def _rows(taken: dict[tuple[str, int], list[Measured]], associations: int, load: Load) -> list[Row]:
    what = f"reception of {load.images} CT ({load.megabytes:.0f} MB) by mutual TLS (RSA 2048; what dcmtk and OpenSSL "
    what += f"agree on), sent by dcmtk storescu; goal: {GOAL:g} × the speed of the same listener without TLS"
    speeds = {
        key: [one.images_per_s for one in many] for (key, many_of), many in taken.items() if many_of == associations
    }
    costs = {
        key: [one.cpu_ms_per_image for one in many] for (key, many_of), many in taken.items() if many_of == associations
    }
    over = f"{associations} association{'s' * (associations > 1)}"
    rows = [
        _row(
            f"tls.{associations}.images_per_s",
            f"TLS, {over}",
            what,
            "images/s",
            "higher",
            "ours, plain",
            PLAIN,
            speeds,
            GOAL,
        ),
        _row(
            f"tls.{associations}.cpu_ms",
            f"CPU per image by TLS, {over}",
            what,
            "ms",
            "lower",
            "ours, plain",
            PLAIN,
            costs,
        ),
    ]
    if DCMTK in speeds:
        name = "dcmtk storescp, TLS"
        rows.append(_row(f"tls.{associations}.dcmtk", f"TLS, {over}", what, "images/s", "higher", name, DCMTK, speeds))
    return rows


def _row(
    id_: str,
    label: str,
    what: str,
    unit: str,
    better: str,
    peer: str,
    key: str,
    rounds: dict[str, list[float]],
    goal: float | None = None,
) -> Row:
    kept, ours = {"ours": rounds[OVER_TLS], peer: rounds[key]}, median(rounds[OVER_TLS])
    return Row(id_, label, what, unit, better, ours, peer, median(rounds[key]), rounds=kept, goal=goal)
