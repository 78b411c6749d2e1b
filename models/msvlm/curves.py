"""Training curves of a stage: kept as JSON lines, shown by TensorBoard and as a PNG."""

import json
from collections import defaultdict
from pathlib import Path
from types import TracebackType

import matplotlib
import numpy as np
from torch.utils.tensorboard import SummaryWriter

matplotlib.use("Agg")
from matplotlib import pyplot as plt

SMOOTHING_STEPS = 50


class Curves:
    """Curves of one stage in `folder`: `STAGE.jsonl`, `STAGE.png` and TensorBoard's events in `STAGE/`.

    Used as a context; a run that goes on at `first_step` forgets what was written from there on.
    """

    def __init__(self, folder: Path, stage: str, first_step: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.stage = folder, stage
        self.path = folder / f"{stage}.jsonl"
        self.rows = [row for row in self._read() if row["step"] < first_step]
        self.path.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        self.file = self.path.open("a", buffering=1)  # a run that is killed keeps its rows
        self.board = SummaryWriter(str(folder / stage), purge_step=first_step)

    def _read(self) -> list[dict[str, float]]:
        if not self.path.is_file():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines() if line.endswith("}")]

    def add(self, step: int, **values: float) -> None:
        """Values of a step, for example loss=0.2, rate=1e-3."""
        row = {"step": step, **values}
        self.rows.append(row)
        self.file.write(json.dumps(row) + "\n")
        for name, value in values.items():
            self.board.add_scalar(f"{self.stage}/{name}", value, step)

    def __enter__(self) -> "Curves":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
        self.board.close()
        draw(self.rows, self.folder / f"{self.stage}.png", self.stage)


def draw(rows: list[dict[str, float]], path: Path, title: str) -> None:
    """One panel per value over the steps, as measured and smoothed."""
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            if name != "step":
                points[name].append((row["step"], value))
    if not points:
        return
    figure, panels = plt.subplots(1, len(points), figsize=(5.0 * len(points), 3.5), squeeze=False)
    for panel, (name, pairs) in zip(panels[0], points.items(), strict=True):
        steps, values = np.array(pairs).T
        panel.plot(steps, values, color="0.8", linewidth=0.8)
        panel.plot(steps, _smooth(values), color="tab:blue", linewidth=1.5)
        panel.set(title=f"{title}: {name}", xlabel="step")
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _smooth(values: np.ndarray) -> np.ndarray:
    width = min(SMOOTHING_STEPS, max(len(values) // 10, 1))
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid")
