"""CSV whose cells no spreadsheet takes for formulas."""

import io

import pandas as pd
import pytest

from gr_tf.runs.csv_text import csv_text

NAMES = ["=1+1", "+1", "-1", "@A1", "\tx", "\rx", "a=1", "'", "", "é"]


@pytest.mark.parametrize("spreadsheet_safe", [False, True])
def test_csv_text(spreadsheet_safe: bool) -> None:
    frame = pd.DataFrame({"influence": [-0.5, *[1.0] * 9], "name": NAMES, "example_id": range(10)})
    text = csv_text(frame, spreadsheet_safe=spreadsheet_safe)
    read = pd.read_csv(io.StringIO(text, newline=""), keep_default_na=False, dtype={"name": str})
    # Numbers stay numbers, also negative ones.
    assert read["influence"].tolist() == frame["influence"].tolist()
    assert read["name"].tolist() == [f"'{name}" if spreadsheet_safe and i < 6 else name for i, name in enumerate(NAMES)]
