"""Tables as CSV for people's programs."""

import pandas as pd

# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA = tuple("=+-@\t\r")


def csv_text(frame: pd.DataFrame, *, spreadsheet_safe: bool = False) -> str:
    """A table as CSV with its cells as they are.

    Args:
        frame: the table; its index is left out.
        spreadsheet_safe: write an apostrophe before each cell of text that a spreadsheet would take for a formula.
    """
    return frame.map(_safe).to_csv(index=False) if spreadsheet_safe else frame.to_csv(index=False)


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
