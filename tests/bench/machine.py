"""What the figures were taken on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = ("pacs-agent", "pynetdicom", "pydicom", "onnxruntime", "dbos", "highdicom", "SQLAlchemy")


def machine(folder: Path) -> dict[str, str]:
    """Processor, memory, system, and the file system of `folder`, where the receivers write."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory_gib": f"{psutil.virtual_memory().total / 2**30:.0f}",
        "system": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(folder),
        "load_before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def own_versions() -> dict[str, str]:
    """Versions of Python, of ourselves, and of what we stand on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    mounted = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    deepest = max(mounted, key=lambda part: len(part.mountpoint), default=None)
    return deepest.fstype if deepest else "unknown"
