"""What models run on: the provider of onnxruntime that the settings lead to, and the GPUs as their driver sees them."""

import shutil
import subprocess

import onnxruntime

from pacs_agent.config import InferenceSettings
from pacs_agent.console.overview.models import GraphicsProcessor, Machine

ASKED = "name,utilization.gpu,memory.used,memory.total"
PATIENCE_S = 3.0
MEBIBYTE = 1 << 20


def machine_here(settings: InferenceSettings) -> Machine:
    """The machine of the web server; workers elsewhere may have another."""
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    provider = "cpu" if settings.provider == "cpu" or not has_cuda else "cuda"
    return Machine(provider=provider, gpus=_gpus())


def _gpus() -> list[GraphicsProcessor]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, f"--query-gpu={ASKED}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return [found for line in said.stdout.splitlines() if (found := gpu_of(line))]


def gpu_of(line: str) -> GraphicsProcessor | None:
    """One line of `nvidia-smi`; None where the driver does not say ([N/A])."""
    try:
        name, busy, used, whole = (part.strip() for part in line.split(","))
        return GraphicsProcessor(
            name=name,
            busy_percent=float(busy),
            memory_used_bytes=float(used) * MEBIBYTE,
            memory_bytes=float(whole) * MEBIBYTE,
        )
    except ValueError:
        return None
