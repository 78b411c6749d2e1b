"""What the short stages show and keep of each step: a bar, and curves where a folder is given."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.msvlm.curves import Curves
from models.msvlm.preset import StageSettings
from models.msvlm.progress import stage_progress


@contextmanager
def recorded(name: str, settings: StageSettings, folder: Path | None) -> Iterator[Callable[..., float]]:
    """Within: a function that shows and keeps the loss of a step, and gives it back."""
    with stage_progress(name, settings.steps) as bar:
        curves = Curves(folder, name) if folder else None

        def record(step: int, loss: float, **values: float) -> float:
            bar.advance(loss=loss, **values)
            if curves:
                curves.add(step, loss=loss, **values)
            return loss

        if curves is None:
            yield record
            return
        with curves:
            yield record
