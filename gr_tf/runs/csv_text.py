"""Tables as CSV for people's programs."""

import csv

import pandas as pd

# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA = tuple("=+-@\t\r")


def csv_text(frame: pd.DataFrame, *, spreadsheet_safe: bool = False) -> str:
    """A table as CSV with its cells as they are.

    Args:
        frame: the table; its index is left out.
        spreadsheet_safe: write an apostrophe before each cell of text that a spreadsheet would take for a formula.
    """
    written = frame.map(_safe) if spreadsheet_safe else frame
    # The csv module puts no quotes around a carriage return, which ends a line for most readers.
    has_returns = written.map(lambda cell: isinstance(cell, str) and "\r" in cell).to_numpy().any()
    return written.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC if has_returns else csv.QUOTE_MINIMAL)


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
