"""Rendered frames for people (PS3.18 10.4.1.1.3): rescaled, windowed, and sized, as JPEG or PNG."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from pacs_agent.archive.archive import Archive
from pacs_agent.archive.dicomweb.frames import one_frame, pixels_of_frame
from pacs_agent.db import Instance

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}
LARGEST_VIEWPORT = 8192
_WINDOW = re.compile(r"([^,]+),([^,]+)(?:,(linear|linear-exact|sigmoid))?", re.IGNORECASE)


@dataclass(frozen=True)
class Window:
    """A window in the units of the rescaled values (HU for CT). `function` as VOI LUT Function, lower case."""

    center: float
    width: float
    function: str = "linear"


@dataclass(frozen=True)
class View:
    """How a frame is to be rendered (PS3.18 8.3.5.1)."""

    window: Window | None
    """None: the window of the instance, else its whole range."""
    viewport: tuple[int, int] | None
    """Width and height in pixels into which the frame is fitted."""
    quality: int


def parse_view(arguments: MultiDict[str, str]) -> View:
    """The view that URL parameters ask for. Raises BadRequest for a value that is none."""
    return View(
        window=_window(arguments["window"]) if "window" in arguments else None,
        viewport=_viewport(arguments["viewport"]) if "viewport" in arguments else None,
        quality=_quality(arguments.get("quality", "90")),
    )


def rendered_frame(archive: Archive, instance: Instance, number: int, view: View, media_type: str) -> bytes:
    """A frame as an image file. Raises NotFound without pixels, FrameUndecodable when they cannot be read."""
    one = one_frame(archive, instance, number)
    image = Image.fromarray(_grey_or_colour(one, pixels_of_frame(one), number, view.window))
    if view.viewport is not None:
        image.thumbnail(view.viewport)
    stream = BytesIO()
    image.save(stream, FORMATS[media_type], quality=view.quality)
    return stream.getvalue()


def _grey_or_colour(one: Dataset, stored: NDArray[Any], number: int, window: Window | None) -> NDArray[np.uint8]:
    photometric = one.get("PhotometricInterpretation", "")
    if photometric == "PALETTE COLOR":
        stored = apply_color_lut(stored, one)
    if stored.ndim == 3:
        return _full_range(stored, 0, 2 ** int(one.get("BitsStored", 8)) - 1 if stored.dtype != np.uint8 else 255)
    functional = _functional_groups(one, number)
    grey = _windowed(_rescaled(stored, functional), window or _window_of(functional))
    return 255 - grey if photometric == "MONOCHROME1" else grey


def _functional_groups(one: Dataset, number: int) -> Sequence[Dataset]:
    """Where a frame's values are: its own functional groups, the shared ones, the instance (PS3.3 C.7.6.16)."""
    per_frame = one.get("PerFrameFunctionalGroupsSequence") or []
    own = [per_frame[number - 1]] if len(per_frame) >= number else []
    groups = [*own, *(one.get("SharedFunctionalGroupsSequence") or [])]
    macros = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
    return [*(item for group in groups for macro in macros for item in group.get(macro) or []), one]


def _rescaled(stored: NDArray[Any], functional: Sequence[Dataset]) -> NDArray[np.float64]:
    """Values after the modality LUT (PS3.3 C.11.1); a slope that is no number is left out, to see what is there."""
    slope, intercept = _number(functional, "RescaleSlope"), _number(functional, "RescaleIntercept")
    values = stored.astype(np.float64)
    return values if slope in (None, 0) else values * slope + (intercept or 0)


def _window_of(functional: Sequence[Dataset]) -> Window | None:
    center, width = _number(functional, "WindowCenter"), _number(functional, "WindowWidth")
    if center is None or width is None or width < 1:
        return None
    function = next((str(d.VOILUTFunction) for d in functional if d.get("VOILUTFunction")), "LINEAR")
    return Window(center, width, function.lower().replace("_", "-"))


def _number(functional: Sequence[Dataset], keyword: str) -> float | None:
    """The first finite value of an attribute."""
    for data_set in functional:
        value = data_set.get(keyword)
        first = value[0] if isinstance(value, Sequence) and not isinstance(value, str) and len(value) else value
        try:
            number = float(first)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):
            return number
    return None


def _windowed(values: NDArray[np.float64], window: Window | None) -> NDArray[np.uint8]:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if window is None:
        finite = values[np.isfinite(values)]
        return _full_range(values, finite.min(initial=math.inf), finite.max(initial=-math.inf))
    if window.function == "sigmoid":
        return _full_range(1 / (1 + np.exp(-4 * (values - window.center) / window.width)), 0, 1)
    if window.function == "linear-exact":
        return _full_range(values, window.center - window.width / 2, window.center + window.width / 2)
    half = (window.width - 1) / 2
    return _full_range(values, window.center - 0.5 - half, window.center - 0.5 + half)


def _full_range(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Values from low to high spread over 0 to 255; NaN becomes black."""
    spread = high - low if high > low else 1.0
    return np.nan_to_num(np.clip((values - low) / spread, 0, 1) * 255).astype(np.uint8)


def _window(text: str) -> Window:
    found = _WINDOW.fullmatch(text)
    try:
        center, width = (float(found[1]), float(found[2])) if found else (math.nan, math.nan)
    except ValueError:
        center = width = math.nan
    if found is None or not (math.isfinite(center) and math.isfinite(width) and width >= 1):
        raise BadRequest("window must be CENTER,WIDTH[,linear|linear-exact|sigmoid] with a width of at least 1")
    return Window(center, width, (found[3] or "linear").lower())


def _viewport(text: str) -> tuple[int, int]:
    sizes = text.split(",")[:2]
    if len(sizes) != 2 or not all(re.fullmatch(r"[0-9]{1,5}", each, re.ASCII) for each in sizes):
        raise BadRequest("viewport must be WIDTH,HEIGHT in pixels")
    width, height = map(int, sizes)
    if not (1 <= width <= LARGEST_VIEWPORT and 1 <= height <= LARGEST_VIEWPORT):
        raise BadRequest(f"viewport must be between 1 and {LARGEST_VIEWPORT} pixels")
    return width, height


def _quality(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or not 1 <= int(text) <= 100:
        raise BadRequest("quality must be a number from 1 to 100")
    return int(text)
