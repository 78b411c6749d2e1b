"""Fuzz target: a command set (PS3.7 6.3.1), and the responses made from it."""

from pydicom.dataset import Dataset

from pacs_agent.receive.wire.breach import CommandBroken
from pacs_agent.receive.wire.commands import CommandSet, read_command, service_response, store_response

RESPONSE = 0x8000
STATUS = 0xA900


def check(encoded: bytes) -> None:
    """A command set is read or broken; from one that is read a response can be made that reads as what it is."""
    try:
        command = read_command(encoded)
        _check_response(command, store_response(command, STATUS, "a comment"))
        command.data_set()
        answer = Dataset()
        answer.Status = STATUS
        _check_response(command, service_response(command, answer, has_data_set=False))
    except CommandBroken:
        return
    assert isinstance(command.sop_class_uid, str) and isinstance(command.sop_instance_uid, str)


def _check_response(request: CommandSet, encoded: bytes) -> None:
    response = read_command(encoded)
    assert response.field == request.field | RESPONSE
    assert response.elements[0x0120] == request.elements[0x0110]
    assert response.elements[0x0900] == STATUS.to_bytes(2, "little")
    assert not response.has_data_set
    assert int.from_bytes(response.elements[0x0000], "little") == len(encoded) - 12
    assert all(len(value) % 2 == 0 for value in response.elements.values())
    assert len(encoded) < 512


if __name__ == "__main__":
    from tests.fuzz.fuzzer import fuzz

    fuzz()
