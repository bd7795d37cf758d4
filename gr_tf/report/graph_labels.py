"""Places texts in a drawing so that none covers another: estimated sizes, cut names, and a search for free places."""

import dataclasses
import itertools
import math
import unicodedata
from collections.abc import Iterable, Iterator

# In em, of a wide sans serif (DejaVu Sans); of letters that are not here, and of those of scripts with wide letters.
_WIDTHS = {
    **dict.fromkeys("ijl.,:;'|!I ", 0.4),
    **dict.fromkeys("frt()[]-/", 0.46),
    **dict.fromkeys("mwMW@%&", 1.0),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ+=<>~#", 0.8),
}
_OTHER, _WIDE = 0.65, 1.3
_GAP = 1.0  # Between two boxes, in pixels.
# Where on the curve a label may be, the best first; then beside these places; then around the middle, ever farther.
_ALONG = (0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78)
_ANGLES, _STEP = 16, 8.0
Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        """Whether they share more than an edge."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def grown(self, by: float) -> "Box":
        """The same, larger on each side."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)


@dataclasses.dataclass(frozen=True)
class Label:
    """A text in its place.

    Attributes:
        x, y: the middle of the text.
        text: cut to fit.
        size: of the letters.
    """

    x: float
    y: float
    text: str
    size: float

    @property
    def box(self) -> Box:
        """What it covers."""
        width, height = text_width(self.text, self.size), 1.25 * self.size
        return Box(self.x - width / 2, self.y - height / 2, self.x + width / 2, self.y + height / 2)


def text_width(text: str, size: float) -> float:
    """An upper estimate of a text's width, because the reader's font is not known."""
    return size * sum(map(_letter_width, text))


def _letter_width(letter: str) -> float:
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0.0
    wide = unicodedata.east_asian_width(letter) in "WF"
    return _WIDTHS.get(letter, _WIDE if wide else _OTHER)


def cut(text: str, size: float, width: float) -> str:
    """A text on one line that is at most so wide; a longer one ends in three dots."""
    shown = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if text_width(shown, size) <= width:
        return shown
    widths = itertools.accumulate(map(_letter_width, shown))
    count = sum(size * (one + _WIDE) <= width for one in widths)
    return f"{shown[:count]}\u2026"


class FreePlaces:
    """The boxes that are taken so far, between a left and a right border."""

    def __init__(self, width: float) -> None:
        self._width = width
        self.taken: list[Box] = []

    def take(self, box: Box) -> None:
        """Nothing else is put here."""
        self.taken.append(box)

    def place(self, text: str, size: float, start: Point, control: Point, end: Point) -> Label:
        """Puts a text on a curve, or as near as there is room, and takes the place.

        Args:
            text: cut already, not wider than the drawing.
            size: of its letters.
            start, control, end: of the quadratic curve.
        """
        half = text_width(text, size) / 2
        along_it = [on_curve(start, control, end, along) for along in _ALONG]
        beside = [(x + side * (half + 5), y) for x, y in along_it for side in (1, -1)]
        for x, y in itertools.chain(along_it, beside, _around(along_it[0])):
            label = Label(min(max(x, half + _GAP), self._width - half - _GAP), y, text, size)
            if self._is_free(label.box):
                self.take(label.box)
                return label
        raise AssertionError("a drawing has room below.")

    def _is_free(self, box: Box) -> bool:
        grown = box.grown(_GAP)
        return not any(grown.overlaps(other) for other in self.taken)


def on_curve(start: Point, control: Point, end: Point, along: float) -> Point:
    """A point of a quadratic curve; `along` is 0 at its start, and 1 at its end."""
    first, middle, last = (1 - along) ** 2, 2 * along * (1 - along), along**2
    return (
        first * start[0] + middle * control[0] + last * end[0],
        first * start[1] + middle * control[1] + last * end[1],
    )


def _around(place: Point) -> Iterator[Point]:
    """Places on ever larger circles."""
    for ring in itertools.count(2):
        for angle in range(_ANGLES):
            turn = 2 * math.pi * angle / _ANGLES
            yield place[0] + ring * _STEP * math.cos(turn), place[1] + ring * _STEP * math.sin(turn)


def extent(boxes: Iterable[Box]) -> tuple[float, float]:
    """The top and the bottom of some boxes, at least one."""
    found = list(boxes)
    return min(box.top for box in found), max(box.bottom for box in found)
