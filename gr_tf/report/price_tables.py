"""What answers are worth at the price of 1, 3, and 10 whole trainings, and whether they are as sure as they say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr_tf.evaluation.atlas_scores import STRATA
from gr_tf.evaluation.fidelity import TOP
from gr_tf.report.figures import REFERENCE, new_figure
from gr_tf.report.tables import correlation_interval, or_dash

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


def calibration_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each price and stratum: how often measured effects lie in the intervals, and signs are as told."""
    rows = []
    for of_price in result["calibration"]:
        for row in of_price["rows"]:
            shares = {
                f"{which}{name} interval": f"{row[key][name]:.1%}"
                for which, key in (("", "within"), ("strongest 5%: ", "strongest within"))
                for name in row[key]
            }
            signs = "; ".join(f"{one['said']:.0%}: {one['right']:.0%}" for one in row["signs"])
            rows.append(
                {
                    "data": result["settings"]["dataset"],
                    "model": result["settings"]["config"]["model"],
                    "price": of_price["price"],
                    "examples": row["stratum"],
                    **shares,
                    "sign, told: right": signs,
                }
            )
    return pd.DataFrame(rows)


def reliability_figure(result: Mapping[str, Any]) -> "Figure":
    """How often signs are right, by how often they were said to be; on the diagonal, they are as sure as told."""
    figure, (axes,) = new_figure(1, width=4.6)
    axes.plot([0.5, 1], [0.5, 1], **REFERENCE)
    for of_price in result["calibration"]:
        for row in of_price["rows"]:
            said, right = ([one[key] for one in row["signs"]] for key in ("said", "right"))
            axes.plot(said, right, marker="o", label=f"price {of_price['price']}, {row['stratum']}")
    axes.set_xlabel("chance that the sign is right, as told")
    axes.set_ylabel("share of signs that are right, by retraining")
    axes.legend(fontsize=8)
    return figure
