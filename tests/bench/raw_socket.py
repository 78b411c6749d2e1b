"""The ceiling: the same bytes over a socket into files, each synced before it is answered. No DICOM at all.

`python -m tests.bench.raw_socket PORT FOLDER` is the receiver. A file is sent as its length (8 bytes), then its bytes;
the answer is one byte, after fdatasync.
"""

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from tests.peers.running import RunningProcess, answers, free_port

BUFFER_BYTES = 1 << 20
LENGTH = struct.Struct("!Q")


class RawSocket:
    """A running receiver of raw files."""

    ae_title = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: RunningProcess

    def __enter__(self) -> Self:
        (self.folder / "images").mkdir(parents=True)
        command = [sys.executable, "-m", "tests.bench.raw_socket", self.port, self.folder / "images"]
        self.process = RunningProcess("raw socket", command, self.folder / "raw.log")
        self.process.wait_until(lambda: answers(self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    def count(self) -> int:
        """Files stored."""
        return sum(1 for _ in (self.folder / "images").iterdir())


def send_raw(folders: Sequence[Path], port: int) -> float:
    """Seconds to send every file of every folder, a connection for each folder."""
    start = time.perf_counter()
    with ThreadPoolExecutor(len(folders)) as pool:
        list(pool.map(lambda folder: _send_folder(folder, port), folders))
    return time.perf_counter() - start


def _send_folder(folder: Path, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for file in sorted(folder.iterdir()):
            with file.open("rb") as content:
                connection.sendall(LENGTH.pack(os.fstat(content.fileno()).st_size))
                connection.sendfile(content)
            if connection.recv(1) != b"\x00":
                raise ConnectionError(f"the receiver closed before it answered {file.name}")


def _serve(port: int, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        for number in range(sys.maxsize):
            connection, _ = server.accept()
            threading.Thread(target=_receive_all, args=(connection, folder, number), daemon=True).start()


def _receive_all(connection: socket.socket, folder: Path, number: int) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = memoryview(bytearray(BUFFER_BYTES))
    with connection:
        for index in range(sys.maxsize):
            head = connection.recv(LENGTH.size, socket.MSG_WAITALL)
            if len(head) < LENGTH.size:
                return
            _receive_file(connection, folder / f"{number}-{index}", LENGTH.unpack(head)[0], buffer)
            connection.sendall(b"\x00")


def _receive_file(connection: socket.socket, path: Path, length: int, buffer: memoryview) -> None:
    with path.open("wb", buffering=0) as file:
        while length:
            received = connection.recv_into(buffer[: min(length, BUFFER_BYTES)])
            if not received:
                raise ConnectionError("the sender closed in the middle of a file")
            file.write(buffer[:received])
            length -= received
        os.fdatasync(file.fileno())


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]))
