"""Small pieces of HTML for notebooks: escaped, without scripts, and readable on light and dark grounds."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import markupsafe
import pandas as pd
from markupsafe import Markup

# As in the page: blue is for, orange against; told apart by colour-blind readers.
_STYLE = "--for:#0072b2;--against:#c04a00;--soft:#6f7479;--text:currentColor;--panel:transparent"
_CELL = "text-align:left;padding:.15em .6em;max-width:24em;overflow-wrap:anywhere"


def block(parts: Iterable[str]) -> str:
    """Parts of HTML, one below the other, in one element with the colours that they name."""
    # A plain text: what is put before or after it is the caller's.
    return str(Markup(f'<div style="{_STYLE}">{{}}</div>').format(Markup("").join(parts)))


def line(text: str, *, strong: bool = False) -> Markup:
    """A line of text; its direction is its own, whatever script it is in."""
    tag = "b" if strong else "span"
    return Markup(f'<div dir="auto" style="overflow-wrap:anywhere"><{tag}>{{}}</{tag}></div>').format(text)


def table(frame: pd.DataFrame, most: int = 50) -> Markup:
    """A table without its index, numbers with four digits; of a longer one the first rows, and how many more."""
    head = _row("th", map(str, frame.columns))
    body = Markup("").join(_row("td", map(_cell, row)) for row in frame.head(most).itertuples(index=False, name=None))
    shown = Markup('<div style="overflow-x:auto"><table><thead>{}</thead><tbody>{}</tbody></table></div>')
    more = len(frame) - most
    return shown.format(head, body) + (line(f"and {more:,} more") if more > 0 else Markup(""))


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _row(tag: str, cells: Iterable[str]) -> Markup:
    made = (Markup(f'<{tag} style="{_CELL}"><bdi>{{}}</bdi></{tag}>').format(cell) for cell in cells)
    return Markup("<tr>{}</tr>").format(Markup("").join(made))


def svg(
    width: float,
    height: float,
    label: str,
    parts: Sequence[str],
    *,
    top: float = 0.0,
    data: Mapping[str, str] = MappingProxyType({}),
) -> Markup:
    """A drawing; `parts` are its elements, escaped already, `top` is its least y, `data` are for a page's script."""
    told = "".join(f' data-{name}="{markupsafe.escape(value)}"' for name, value in data.items())
    return Markup(
        f'<svg viewBox="0 {top:g} {width:g} {height:g}" style="width:100%;max-width:{width:g}px" role="img" '
        f'aria-label="{markupsafe.escape(label)}"{told} font-size="12" fill="var(--text)">{"".join(parts)}</svg>'
    )
