"""One training run in several processes: started by `torchrun`, or by itself where the preset asks for it.

Every process computes the mean gradient of all (one exchange per step), so that all hold the same weights. On CPUs two
one-thread processes are twice as fast as one process with two threads.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

Task = TypeVar("Task")
Result = TypeVar("Result")
PATIENCE = timedelta(hours=12)
"""How long a process waits for another that renders or trains a stage of its own."""
QUICK_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296", "OMP_NUM_THREADS": "1"}
"""Keeps glibc from handing large temporaries back to the kernel after every operation; read at process start."""


def launched() -> bool:
    """Whether `torchrun` (or what sets its environment) has started this process beside others."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def rank() -> int:
    """Number of this process; 0 leads and writes files."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def device() -> torch.device:
    """The accelerator of this process, or the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))


def placed(module: nn.Module) -> None:
    """Moves a module to the device of this process, channels last: convolutions are faster so."""
    module.to(device()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def joined() -> Iterator[None]:
    """Within: the processes that `torchrun` started can exchange gradients. Nothing where it did not."""
    if not launched():
        yield
        return
    if device().type == "cuda":
        torch.cuda.set_device(device())
    dist.init_process_group("nccl" if device().type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def in_processes(work: Callable[..., None], arguments: Sequence[Any], processes: int, meeting: Path) -> None:
    """Runs `work(*arguments)` in all processes: in those of `torchrun`, or in as many new ones on the CPU.

    A single process on an accelerator needs no others. `meeting` is a file through which new processes find each other.
    """
    if launched() or device().type == "cuda":
        wait_for_all()
        work(*arguments)
        wait_for_all()
        return
    meeting.unlink(missing_ok=True)
    os.environ.update(QUICK_MEMORY)
    spawn(_new_process, args=(work, tuple(arguments), processes, meeting.resolve()), nprocs=processes, join=True)  # type: ignore[no-untyped-call]


def train_in_processes(
    work: Callable[..., None], network: nn.Module, arguments: Sequence[Any], processes: int, stem: Path
) -> None:
    """Trains a network in place: `work(*arguments, start, end)` loads weights from the one file and leaves its own.

    `stem`: folder and beginning of the names of these files, as `FOLDER/encoder`.
    """
    start, end, meeting = (stem.with_name(f"{stem.name}-{each}") for each in ("start.pt", "end.pt", "meeting"))
    stem.parent.mkdir(parents=True, exist_ok=True)
    if rank() == 0:
        torch.save(network.state_dict(), start)
    in_processes(work, (*arguments, start, end), processes, meeting)
    network.load_state_dict(torch.load(end, weights_only=True, map_location="cpu"))


def _new_process(number: int, work: Callable[..., None], arguments: tuple[Any, ...], count: int, meeting: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=number, world_size=count, timeout=PATIENCE)
    work(*arguments)
    dist.barrier()
    dist.destroy_process_group()


def mapped(work: Callable[[Task], Result], tasks: Sequence[Task], processes: int) -> Iterator[Result]:
    """Results of `work` in the order of the tasks, from one-thread processes on the CPU."""
    os.environ.update(QUICK_MEMORY)
    with multiprocessing.get_context("spawn").Pool(processes, torch.set_num_threads, (1,)) as pool:
        yield from pool.imap(work, tasks)


def wait_for_all() -> None:
    """Returns when every process has come here: what the leading one wrote can be read."""
    if world_size() > 1:
        dist.barrier()


def average(tensors: Sequence[Tensor]) -> None:
    """Replaces floating-point tensors by their mean over the processes, in one exchange."""
    if world_size() == 1:
        return
    floats = [tensor for tensor in tensors if tensor.is_floating_point()]
    flat = torch.cat([tensor.reshape(-1) for tensor in floats])
    dist.all_reduce(flat)
    flat /= world_size()
    for tensor, part in zip(floats, flat.split([tensor.numel() for tensor in floats]), strict=True):  # type: ignore[no-untyped-call]
        tensor.copy_(part.view_as(tensor))


def lead_first(work: Callable[[], Result]) -> Result:
    """Runs `work` in the leading process, then in the others, which find in the cache what it made."""
    if rank() == 0:
        result = work()
    wait_for_all()
    return result if rank() == 0 else work()
