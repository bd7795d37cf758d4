"""The table of what a method's answers are worth at the price of 1, 3, and 10 whole trainings."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gr_tf.evaluation.atlas_scores import STRATA
from gr_tf.evaluation.fidelity import TOP
from gr_tf.report.tables import correlation_interval, or_dash


def price_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each method and price: corrected Spearman's correlations, by stratum, and what its first capture."""
    strata = [stratum for stratum in STRATA if stratum in result["ceilings"]]
    return pd.DataFrame(
        {
            "data": result["settings"]["dataset"],
            "model": result["settings"]["config"]["model"],
            "method": row["method"],
            "price": row["price"] or "-",
            "trainings": row["trainings"] or "-",
            **{stratum: correlation_interval(row[stratum]) for stratum in strata},
            **{f"top {k} captures": or_dash(row.get(f"captured, {k}"), "{:.0%}") for k in TOP},
        }
        for row in result["rows"]
    )
