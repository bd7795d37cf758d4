"""One table of all truths: how near each method comes to what retraining measured, and for how many trainings."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas_scores import STRATA
from gr_tf.evaluation.large_removal import ANY, CONTROLS
from gr_tf.evaluation.large_rows import HALVES, NAMED
from gr_tf.evaluation.method_names import is_variant, with_present_names
from gr_tf.report.large_fidelity_tables import of_what

Result = Mapping[str, Any]
_RANDOM = "nh"
# What the controls of Kelpie's protocol are called here; an ensemble there is METHOD*TRAININGS.
_CONTROLS = {"random": _RANDOM, "shape": "graph's shape, by a rule"}


class Measured(NamedTuple):
    """One method by one truth.

    Attributes:
        truth: the name of the table's column.
        method: its name.
        price: in whole trainings; 0: needs none.
        trainings: how many, short ones too.
        cell: what the table says.
        value: by which methods are ordered.
    """

    truth: str
    method: str
    price: float
    trainings: int
    cell: str
    value: float


def trust_frame(results: Mapping[str, Sequence[Result]]) -> pd.DataFrame:
    """A row for each method and price, the cheapest first, at each price the best first; a column for each truth.

    Args:
        results: by the patterns of SOURCES; of two results about the same method, price, and truth the first counts.
    """
    found = [one for pattern, measured in SOURCES.items() for result in results[pattern] for one in measured(result)]
    truths = list(dict.fromkeys(one.truth for one in found))
    cells: dict[tuple[str, float], dict[str, Measured]] = {}
    for one in found:
        cells.setdefault((one.method, one.price), {}).setdefault(one.truth, one)

    def order(key: tuple[str, float]) -> tuple[float, ...]:
        values = [cells[key][truth].value if truth in cells[key] else -math.inf for truth in truths]
        return key[1], *(-value for value in values)

    return pd.DataFrame(
        {
            "price": f"{price:g}",
            "method": method,
            "trainings": next(iter(cells[method, price].values())).trainings,
            **{truth: cells[method, price][truth].cell if truth in cells[method, price] else "-" for truth in truths},
        }
        for method, price in sorted(cells, key=order)
    )


def _of_prices(result: Result) -> Iterator[Measured]:
    """Results of experiments/prices.py."""
    for row in result["rows"]:
        shares = [row[stratum] for stratum in STRATA if stratum in result["ceilings"]]
        yield _graph(result, row["method"], row["price"], row["trainings"], shares)


def _of_fidelity(result: Result) -> Iterator[Measured]:
    """One training and the most of them, of results of experiments/fidelity.py; without variants of methods."""
    result = with_present_names(result)
    ceilings = {row["stratum"]: row["spearman"]["ceiling"] for row in result["ceilings"]}
    names = {row["method"] for row in result["rows"]}
    most = max(row["trainings"] for row in result["rows"])
    for row in result["rows"]:
        count = row["trainings"]
        if count not in (1, most) or is_variant(row["method"], names) or (row["method"] == _RANDOM and count > 1):
            continue
        shares = [
            [value / ceilings[name] for value in row[f"spearman, {name}"]] for name in STRATA if ceilings.get(name)
        ]
        yield _graph(result, row["method"], *_costs(row["method"], count), shares)


def _graph(result: Result, method: str, price: float, trainings: int, shares: Sequence[Sequence[float]]) -> Measured:
    """One of an atlas: the shares of the ceiling, by stratum."""
    settings = result["settings"]
    truth = f"{settings['dataset']}, {settings['config']['model']}"
    return Measured(truth, method, price, trainings, " / ".join(map(_share, shares)), shares[0][0])


def _of_one_model(result: Result) -> Iterator[Measured]:
    """Results of experiments/fidelity_ratings.py, where one trained model is trained on."""
    ceiling = agreement.ceiling(result["reliability"]["spearman"]) or math.nan
    for row in with_present_names(result)["rows"]:
        truth = f"{result['dataset']}, {result['config']['model']}, trained on"
        yield _rating(truth, row["method"], 1, [value / ceiling for value in row["spearman"]])


def _of_seeds(result: Result) -> Iterator[Measured]:
    """Results of experiments/fidelity_rating_rollback.py and fidelity_rating_batches.py: models are trained anew."""
    settings, ceiling = result["settings"], result["reliability"]["spearman"]["ceiling"] or math.nan
    how = settings["config"].get("optimizer", "adam")
    batches = "" if how == "adam" else f" by {how} in batches"
    truth = f"{settings['dataset']}, {settings['config']['model']}{batches}, trained anew"
    for row in with_present_names(result)["rows"]:
        for count, name in ((1, "one"), (settings["num_seeds"], "all")):
            if row["method"] != _RANDOM or count == 1:
                yield _rating(truth, row["method"], count, [value / ceiling for value in row["spearman"][name]])


def _rating(truth: str, method: str, count: int, share: Sequence[float]) -> Measured:
    return Measured(truth, method, *_costs(method, count), _share(share), share[0])


def _of_large(result: Result) -> Iterator[Measured]:
    """Results of experiments/large_fidelity.py: examples that were left out, and halves of the data.

    What no two seeds agree on has no ceiling, and is left out.
    """
    names = {row["method"] for row in result["rows"]}
    for key, what in ((NAMED, "left out"), (HALVES, "halves")):
        ceiling, truth = result["ceilings"][key]["ceiling"], f"{of_what(result)}, {what}"
        if not ceiling:
            continue
        for row in result["rows"]:
            method, count = row["method"], row["trainings"]
            if row[key] is None or is_variant(method, names) or (method == _RANDOM and count > 1):
                continue
            share = [value / ceiling for value in row[key]]
            yield Measured(truth, method, *_costs(method, count), _share(share), share[0])


def _of_removals(result: Result) -> Iterator[Measured]:
    """Results of experiments/large_removal.py: the factor of a probability, or the change of another value."""
    sizes, relative = result["settings"]["sizes"], result["unit"] == "probability"
    truth = f"{of_what(result)}, {sizes['removed']} removed"
    for row in result["rows"]:
        method = row["method"]
        price = 0 if method in (*CONTROLS, ANY) else sizes["explained"]
        mean, low, high = row["change"]
        cell = f"x {math.exp(mean):.2g}" if relative else f"{mean:+.3f}"
        yield Measured(truth, method, price, price, cell + (" noise" if low <= 0 <= high else ""), -mean)


def _of_facts(result: Result) -> Iterator[Measured]:
    """The largest explanations of Kelpie's protocol: the change of the probability by seeds that were not explained."""
    most = max(row["k"] for row in result["rows"] if "k" in row)
    done, sign = {"necessary": ("removed", -1), "sufficient": ("given", 1)}[result["experiment"]]
    for row in result["rows"]:
        if row.get("k") != most:
            continue
        name, _, trainings = row["method"].partition("*")
        mean, low, high = row["others"]["value"]
        price = 0 if name in _CONTROLS else int(trainings or 1)
        cell = f"{mean:+.3f}" + (" noise" if low <= 0 <= high else "")
        truth = f"{result['dataset']}, {result['model']}, {most} facts {done}"
        yield Measured(truth, _CONTROLS.get(name, name), price, price, cell, sign * mean)


def _costs(method: str, count: int) -> tuple[int, int]:
    """Price and trainings of a method that explains `count` whole trainings."""
    return (0, 0) if method == _RANDOM else (count, count)


def _share(values: Sequence[float]) -> str:
    mean, low, high = values
    return "noise" if low <= 0 <= high else f"{mean:.2f}"


# The files of experiments/results/ that the table is made of; the first are preferred.
SOURCES: Mapping[str, Callable[[Result], Iterator[Measured]]] = {
    "prices_*": _of_prices,
    "fidelity_nations_*": _of_fidelity,
    "ratings_fidelity_*": _of_one_model,
    "ratings_rollback_*": _of_seeds,
    "ratings_batches_*": _of_seeds,
    "large_*": _of_large,
    "removal_*": _of_removals,
    "necessary_*": _of_facts,
    "sufficient_*": _of_facts,
}
