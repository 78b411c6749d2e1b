"""What a stage shows while it runs: a bar with loss, rate and time left; plain lines where there is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY_S = 30.0


class StageProgress:
    """The bar of one stage."""

    def __init__(self, bar: Progress, title: str, steps: int, done: int, show: bool) -> None:
        self.bar, self.title, self.steps, self.done, self.show = bar, title, steps, done, show
        self.task = bar.add_task(title, total=steps, completed=done, facts="")
        self.first, self.began_s, self.line_s = done, monotonic(), monotonic()

    def advance(self, **facts: float) -> None:
        """One step on; `facts` such as loss=0.1 stand beside the bar."""
        self.done += 1
        text = " ".join(f"{name} {value:.4g}" for name, value in facts.items())
        self.bar.update(self.task, advance=1, facts=text)
        if self.show and not self.bar.console.is_terminal and monotonic() - self.line_s > LINE_EVERY_S:
            self.line_s = monotonic()
            self.bar.console.print(f"{self.title}: step {self.done} of {self.steps}, {text}, {self._remaining()} left")

    def _remaining(self) -> str:
        seconds = (monotonic() - self.began_s) / (self.done - self.first) * (self.steps - self.done)
        return f"{seconds / 60.0:.1f} min"


@contextmanager
def stage_progress(title: str, steps: int, done: int = 0, show: bool = True) -> Iterator[StageProgress]:
    """A bar of `steps` steps of which `done` are behind; hidden in the processes that do not lead."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[facts]}"),
    )
    with Progress(*columns, console=Console(), disable=not show) as bar:
        yield StageProgress(bar, title, steps, done, show)
