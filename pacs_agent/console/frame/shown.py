"""How values are shown on pages: times in the local zone with the offset, sizes and durations in words people use."""

from datetime import datetime

from flask import Flask
from markupsafe import Markup, escape

BYTES = ("bytes", "kB", "MB", "GB", "TB")


def set_filters(app: Flask) -> None:
    """Adds the filters to the templates: `when`, `size`, `duration`."""
    app.jinja_env.filters.update(when=when, size=size, duration=duration)


def when(at: datetime | None) -> Markup:
    """A time as `2026-11-22 14:03:12 +01:00`, which the browser's script turns into the reader's own zone."""
    if at is None:
        return Markup("–")
    local = at.astimezone()
    words = f"{local:%Y-%m-%d %H:%M:%S} {local:%z}"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), escape(f"{words[:-2]}:{words[-2:]}"))


def size(count: float | None) -> str:
    """A number of bytes, in powers of 1000: `12.3 GB`."""
    if count is None:
        return "–"
    power = 0
    while abs(count) >= 1000 and power < len(BYTES) - 1:
        count, power = count / 1000, power + 1
    return f"{count:.0f} {BYTES[power]}" if power == 0 else f"{count:.3g} {BYTES[power]}"


def duration(seconds: float | None) -> str:
    """A length of time: `320 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, below, part, name in ((60, 3600, 1, "min s"), (3600, 86400, 60, "h min"), (86400, 1 << 62, 3600, "d h")):
        if whole < below:
            large, small = name.split()
            return f"{whole // unit} {large} {whole % unit // part} {small}"
    return f"{whole} s"
