"""Ports of peers: each process of the tests has its own, and none twice in a row."""

import socket

import pytest

from tests.peers import running


def drawn(monkeypatch: pytest.MonkeyPatch, worker: str, count: int) -> set[int]:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
    monkeypatch.setattr(running, "_PORTS_IN_TURN", running._own_ports())
    return {running.free_port() for _ in range(count)}


def test_processes_beside_each_other_are_given_different_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (drawn(monkeypatch, worker, 1000) for worker in ("gw0", "gw1"))
    assert len(first) == len(second) == 1000
    assert not first & second
    assert first | second <= set(running.PORTS)


def test_a_port_that_somebody_listens_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = running.free_port()
    monkeypatch.setattr(running, "_PORTS_IN_TURN", iter([taken, taken + 1, taken + 2]))
    with socket.create_server(("127.0.0.1", taken)):
        assert running.free_port() > taken
