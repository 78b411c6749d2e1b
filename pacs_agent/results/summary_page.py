"""A page of a reading as a picture, light on dark for a dark room: what was found, where it shows best, who says so.

Colours tell what words tell as well. The same page gives the same pixels: fonts are the room's own, without hinting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ROWS, COLUMNS = 1024, 1280

_FONTS = Path(__file__).parent / "fonts"
_MARGIN, _GAP = 40, 14
_LEFT = 580
"""Width of the column of words."""
_TOP, _BOTTOM = 176, 952
"""Between them lie the columns; above is the head, below the foot."""

Colour = tuple[int, int, int]
_Box = tuple[int, int, int, int]
_GROUND: Colour = (11, 14, 19)
_RAISED: Colour = (22, 27, 35)
_RULE: Colour = (48, 56, 68)
_TEXT: Colour = (232, 236, 241)
_QUIET: Colour = (154, 164, 178)
_PRESENT: Colour = (255, 176, 84)
_UNCERTAIN: Colour = (238, 220, 130)
_MARK: Colour = (255, 176, 84)
_WARNING: Colour = (255, 140, 120)

_TITLE, _HEAD, _BODY, _SMALL = 30, 21, 19, 16
_LINE = 1.32
"""Height of a line of text, in sizes of its font."""
_CAPTION = 46
"""Height of the words below a picture."""
_INDENT, _PERCENT = 26, 62
"""Of words behind their mark; width of a probability."""
_FULL, _EMPTY = "●", "○"
_RING, _FINER = 14, 4
"""Radius of the ring around the strongest place, in pixels; how many times finer it is drawn."""
_NOT_KNOWN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Statement:
    """A finding that is not absent."""

    name: str
    said: str
    probability: str
    is_present: bool
    """Else it is uncertain."""
    measured: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A slice, and where in it a finding is strongest."""

    title: str
    caption: str
    grey: NDArray[np.uint8]
    """Shape (rows, columns); empty where it cannot be shown."""
    spacing_mm: tuple[float, float]
    peak_px: tuple[float, float] | None
    sides: tuple[str, str, str, str]
    """Of the patient, at the left, right, top and bottom."""


@dataclass(frozen=True)
class Page:
    """All words and pictures of a page, in the order in which they stand."""

    title: str
    patient: str
    study: str
    warning: str
    model: str
    impression: tuple[str, ...]
    statements: tuple[Statement, ...]
    absent: tuple[str, ...]
    pictures: tuple[Picture, ...]
    foot: str


def drawn(page: Page) -> NDArray[np.uint8]:
    """The page as pixels in RGB, shape (ROWS, COLUMNS, 3)."""
    image = Image.new("RGB", (COLUMNS, ROWS), _GROUND)
    pen = _Pen(ImageDraw.Draw(image))
    _head(pen, page)
    _words(pen, page)
    _pictures(image, pen, page.pictures)
    _foot(pen, page)
    return np.asarray(image)


@cache
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(_FONTS / name, size, layout_engine=ImageFont.Layout.BASIC)


@cache
def _has_glyph(character: str) -> bool:
    font = _font(_BODY)
    shape, missing = font.getmask(character), font.getmask("\uffff")
    return character == " " or (shape.size, bytes(shape)) != (missing.size, bytes(missing))


def is_drawable(text: str) -> bool:
    """Whether the fonts have every character of a text, as they have those of European scripts."""
    return all(map(_has_glyph, text))


def _drawable(text: str) -> str:
    return "".join(each if _has_glyph(each) else _NOT_KNOWN for each in " ".join(text.split()))


def fitted(text: str, width: float, size: int, bold: bool = False) -> str:
    """A text on one line, cut with an ellipsis where it is too wide."""
    font, text = _font(size, bold), _drawable(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def wrapped(text: str, width: float, size: int) -> list[str]:
    """The lines of a text; a word that is wider than a line is cut."""
    font, lines = _font(size), [""]
    for word in _drawable(text).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(fitted(word, width, size))
    return [line for line in lines if line]


@dataclass
class _Pen:
    """Writes text; `y` is where the next line of the column of words stands."""

    draw: ImageDraw.ImageDraw
    y: float = _TOP

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        colour: Colour = _TEXT,
        *,
        bold: bool = False,
        anchor: str = "la",
        outline: int = 0,
    ) -> None:
        font = _font(size, bold)
        self.draw.text((x, y), text, font=font, fill=colour, anchor=anchor, stroke_width=outline, stroke_fill=(0, 0, 0))

    def line(self, text: str, size: int, colour: Colour = _TEXT, *, indent: float = 0, bold: bool = False) -> None:
        self.text(_MARGIN + indent, self.y, text, size, colour, bold=bold)
        self.y += size * _LINE

    def has_room(self, lines: float, size: int = _BODY) -> bool:
        return self.y + lines * size * _LINE <= _BOTTOM


def _head(pen: _Pen, page: Page) -> None:
    inner, right = COLUMNS - 2 * _MARGIN, COLUMNS - _MARGIN
    pen.text(_MARGIN, 30, fitted(page.title, inner * 0.45, _TITLE, bold=True), _TITLE, bold=True)
    pen.text(right, 32, fitted(page.patient, inner * 0.5, _HEAD), _HEAD, anchor="ra")
    pen.text(_MARGIN, 74, fitted(page.model, inner * 0.45, _SMALL), _SMALL, _QUIET)
    pen.text(right, 66, fitted(page.study, inner * 0.5, _SMALL), _SMALL, _QUIET, anchor="ra")
    pen.draw.rounded_rectangle((_MARGIN, 106, right, 148), 6, fill=_RAISED)
    pen.draw.rectangle((_MARGIN, 106, _MARGIN + 5, 148), fill=_WARNING)
    pen.text(_MARGIN + 22, 127, fitted(page.warning, inner - 44, _BODY), _BODY, _WARNING, anchor="lm")


def _foot(pen: _Pen, page: Page) -> None:
    pen.draw.line((_MARGIN, 968, COLUMNS - _MARGIN, 968), fill=_RULE)
    pen.text(_MARGIN, 982, fitted(page.foot, COLUMNS - 2 * _MARGIN, _SMALL), _SMALL, _QUIET)


def _words(pen: _Pen, page: Page) -> None:
    """Impression, what is not absent, and what is: each as far as there is room, and then how many more."""
    _section(pen, "Impression")
    _paragraph(pen, " ".join(page.impression), most_lines=5)
    _section(pen, "Findings", "probability" if page.statements else "")
    _statements(pen, page.statements, reserved=3.5 if page.absent else 0.0)
    if page.absent:
        _section(pen, "Not found")
        _names(pen, page.absent)


def _section(pen: _Pen, title: str, at_right: str = "") -> None:
    pen.y += 14 if pen.y > _TOP else 0
    pen.text(_MARGIN + _LEFT, pen.y + 2, at_right, _SMALL - 3, _QUIET, anchor="ra")
    pen.line(title.upper(), _SMALL, _QUIET, bold=True)
    pen.y += 4


def _paragraph(pen: _Pen, text: str, most_lines: int) -> None:
    lines = wrapped(text, _LEFT, _BODY)
    for line in lines[:most_lines]:
        pen.line(line, _BODY)
    if len(lines) > most_lines:
        pen.line(_more(len(lines) - most_lines, "line"), _SMALL, _QUIET)
    pen.y += 6


def _statements(pen: _Pen, statements: Sequence[Statement], reserved: float) -> None:
    if not statements:
        pen.line("Nothing is present or uncertain.", _BODY)
    for number, one in enumerate(statements):
        left = len(statements) - number
        needed = 1 + 0.95 * (len(one.measured) + len(_said_below(one))) + (1 if left > 1 else 0) + reserved
        if not pen.has_room(needed, _BODY + 3):
            pen.line(_more(left, "finding"), _SMALL, _QUIET, indent=_INDENT)
            return
        _statement(pen, one)
    pen.y += 4


def _statement(pen: _Pen, one: Statement) -> None:
    colour = _PRESENT if one.is_present else _UNCERTAIN
    pen.text(_MARGIN, pen.y, _FULL if one.is_present else _EMPTY, _BODY, colour)
    pen.text(_MARGIN + _INDENT, pen.y, _name(one), _BODY)
    pen.text(_MARGIN + _LEFT, pen.y + 2, one.probability, _SMALL, _QUIET, anchor="ra")
    if _is_beside(one):
        pen.text(_MARGIN + _start(one), pen.y, _drawable(one.said), _BODY, colour)
    pen.y += _BODY * _LINE + 3
    for text in _said_below(one):
        pen.line(text, _BODY - 1, colour, indent=_INDENT)
    for each in one.measured:
        pen.line(fitted(each, _LEFT - _INDENT, _BODY - 1), _BODY - 1, indent=_INDENT)
    pen.y += 3 if one.measured else 0


def _name(one: Statement) -> str:
    return fitted(one.name, _LEFT * 0.75, _BODY)


def _start(one: Statement) -> float:
    """Where on the line of its name what is said of a finding begins."""
    return _INDENT + _font(_BODY).getlength(_name(one)) + 12


def _is_beside(one: Statement) -> bool:
    """Whether what is said of a finding has room beside its name."""
    return _start(one) + _font(_BODY).getlength(_drawable(one.said)) <= _LEFT - _PERCENT


def _said_below(one: Statement) -> list[str]:
    """What is said of a finding, where it has lines of its own."""
    return [] if _is_beside(one) else wrapped(one.said, _LEFT - _INDENT - _PERCENT, _BODY - 1)


def _names(pen: _Pen, names: Sequence[str]) -> None:
    """Names after commas, on as many lines as there is room for."""
    room = max(1, int((_BOTTOM - pen.y) // (_SMALL * _LINE)))
    for shown in range(len(names), -1, -1):
        rest = len(names) - shown
        said = ", ".join(names[:shown]) + (f" {_more(rest, 'finding')}" if rest else "")
        lines = wrapped(said, _LEFT, _SMALL)
        if len(lines) <= room:
            break
    for line in lines[:room]:
        pen.line(line, _SMALL, _QUIET)


def _more(count: int, what: str) -> str:
    return f"and {count} more {what}{'s' if count > 1 else ''}"


def _pictures(image: Image.Image, pen: _Pen, pictures: Sequence[Picture]) -> None:
    """Pictures in one column while there are two, else in two columns of up to three."""
    left, width, height = _MARGIN + _LEFT + 40, COLUMNS - 2 * _MARGIN - _LEFT - 40, _BOTTOM - _TOP
    columns = 1 if len(pictures) <= 2 else 2
    rows = -(-len(pictures) // columns) if pictures else 1
    wide, tall = (width - (columns - 1) * _GAP) // columns, (height - (rows - 1) * _GAP) // rows
    cell = wide, min(tall, wide + _CAPTION)  # slices are about as high as they are wide
    for number, one in enumerate(pictures):
        row, column = divmod(number, columns)
        _picture(image, pen, one, (left + column * (cell[0] + _GAP), _TOP + row * (cell[1] + _GAP)), cell)


def _picture(image: Image.Image, pen: _Pen, one: Picture, at: tuple[int, int], cell: tuple[int, int]) -> None:
    frame = (at[0], at[1], at[0] + cell[0] - 1, at[1] + cell[1] - _CAPTION - 1)
    pen.draw.rectangle(frame, fill=(0, 0, 0), outline=_RULE)
    pen.text(at[0], frame[3] + 6, fitted(one.title, cell[0], _SMALL), _SMALL)
    pen.text(at[0], frame[3] + 27, fitted(one.caption, cell[0], _SMALL - 3), _SMALL - 3, _QUIET)
    if one.grey.size:
        _slice(image, pen, one, frame)
    else:
        middle = (frame[0] + frame[2]) // 2, (frame[1] + frame[3]) // 2
        pen.text(*middle, "This image cannot be shown", _SMALL - 2, _QUIET, anchor="mm")


def _slice(image: Image.Image, pen: _Pen, one: Picture, frame: _Box) -> None:
    """The slice in the proportions of the patient, filling its frame about the strongest place, which has a ring."""
    inner = frame[2] - frame[0] - 1, frame[3] - frame[1] - 1
    rows, columns = one.grey.shape
    tall_mm, wide_mm = rows * one.spacing_mm[0], columns * one.spacing_mm[1]
    scale = max(inner[0] / wide_mm, inner[1] / tall_mm)
    size = max(inner[0], round(wide_mm * scale)), max(inner[1], round(tall_mm * scale))
    row, column = one.peak_px or ((rows - 1) / 2, (columns - 1) / 2)
    x, y = (column + 0.5) / columns * size[0], (row + 0.5) / rows * size[1]
    left, top = (
        min(max(round(place - length / 2), 0), whole - length)
        for place, length, whole in zip((x, y), inner, size, strict=True)
    )
    shown = Image.fromarray(one.grey).resize(size, Image.Resampling.BICUBIC)
    shown = shown.crop((left, top, left + inner[0], top + inner[1])).convert("RGB")
    image.paste(shown, (frame[0] + 1, frame[1] + 1))
    _sides(pen, one.sides, frame)
    if one.peak_px is not None:
        _ring(image, frame[0] + 1 + x - left, frame[1] + 1 + y - top)


def _sides(pen: _Pen, sides: tuple[str, str, str, str], frame: _Box) -> None:
    left, top, right, bottom = frame
    middle_x, middle_y = (left + right) // 2, (top + bottom) // 2
    places = (
        (left + 7, middle_y, "lm"),
        (right - 7, middle_y, "rm"),
        (middle_x, top + 6, "ma"),
        (middle_x, bottom - 6, "md"),
    )
    for letter, (x, y, anchor) in zip(sides, places, strict=True):
        pen.text(x, y, letter, _SMALL - 2, anchor=anchor, outline=2)


def _ring(image: Image.Image, x: float, y: float) -> None:
    """A ring with a dark edge, drawn finer and made smaller so that it is smooth."""
    half = _RING + 6
    corner = round(x) - half, round(y) - half
    for width, colour in ((6, (0, 0, 0)), (2, _MARK)):
        mask = Image.new("L", (2 * half * _FINER, 2 * half * _FINER))
        middle = tuple((place - start) * _FINER for place, start in zip((x, y), corner, strict=True))
        outer, inner = ((_RING + sign * width / 2) * _FINER for sign in (1, -1))
        draw = ImageDraw.Draw(mask)
        for radius, fill in ((outer, 255), (inner, 0)):
            draw.ellipse((middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius), fill=fill)
        image.paste(colour, corner, mask.resize((2 * half, 2 * half), Image.Resampling.BOX))
