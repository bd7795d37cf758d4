"""The texts of the axis do not lie over each other."""

import re

import pytest

from gr_tf.asking.check import Check
from gr_tf.asking.check_plot import check_plot


def _axis(lowest: float, highest: float) -> dict[str, tuple[float, float]]:
    """The place of each text of the axis."""
    drawn = check_plot([Check((0,), None, (0.0,), (change,), None) for change in (lowest, highest)], "Probability")
    found = re.findall(r'<text x="([\d.]+)" y="(\d+)" text-anchor="middle">([^<]*)</text>', drawn)
    return {text: (float(x), float(y)) for x, y, text in found}


@pytest.mark.parametrize(("lowest", "highest", "lines"), [(-0.4, 0.3, 1), (-0.4, 0.0005, 2), (-1e-7, 0.4, 2)])
def test_texts_of_the_axis(lowest: float, highest: float, lines: int) -> None:
    places = _axis(lowest, highest)
    assert set(places) == {"0", f"{lowest:+.3g}", f"{highest:+.3g}"}
    assert len({y for _, y in places.values()}) == lines
    for text, (x, y) in places.items():
        for other, (other_x, other_y) in places.items():
            if text != other and y == other_y:
                assert abs(x - other_x) > 3.5 * (len(text) + len(other))
