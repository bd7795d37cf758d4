"""Puts the figures of experiments/results/ into README.md and BUILD_NOTES.md.

python -m experiments.readme

A place for figures is a pair of comments, <!-- figures: NAME --> and <!-- end -->; NAME is a key of
FIGURES.
"""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import pandas as pd

from experiments import common, gr_seeds
from gr_tf import files
from gr_tf.report.tables import as_markdown, ranking_frame, removal_frame

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
DOCUMENTS = ("README.md", "BUILD_NOTES.md")
_PLACE = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table_1(name: str) -> str:
    return as_markdown(removal_frame(_read(name)["table"]))


def _ranking(name: str) -> str:
    return as_markdown(ranking_frame(_read(name)["test_ranking"]))


def _seeds(name: str) -> str:
    result = _read(name)
    ranking = result["test_ranking"]
    means = ", ".join(
        f"{metric} {ranking['mean'][metric]:.1f} +- {ranking['sd'][metric]:.1f}" for metric in ranking["mean"]
    )
    return (
        f"{as_markdown(gr_seeds.frame(result))}\n\nTest ranking over the same {len(result['epochs'])} seeds: {means}."
    )


def _benchmark(name: str) -> str:
    return as_markdown(pd.DataFrame(_read(name)["rows"]).map(lambda v: f"{v:.4g}" if isinstance(v, float) else v))


FIGURES: dict[str, Callable[[], str]] = {
    "table1_nations_distmult": lambda: _table_1("table1_nations_distmult"),
    "ranking_nations_distmult": lambda: _ranking("table1_nations_distmult"),
    "seeds_nations_distmult": lambda: _seeds("seeds_nations_distmult"),
    "benchmark": lambda: _benchmark("benchmark"),
}


def with_figures(text: str) -> str:
    """A document with its figures made anew from the result files."""
    return _PLACE.sub(lambda match: f"{match[1]}{FIGURES[match[2]]()}\n{match[3]}", text)


def _read(name: str) -> Any:
    return files.read_json(RESULTS / f"{name}.json")


def main() -> None:
    for document in DOCUMENTS:
        path = ROOT / document
        files.write_text(path, with_figures(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    common.start(main)
