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

from experiments import (
    benchmark,
    common,
    fia_rq1,
    fia_rq2,
    fia_rq3,
    fidelity_rating_rollback,
    fidelity_ratings,
    fidelity_tables,
    find_suspects,
    gr_defects,
    gr_figure2,
    gr_figure4,
    gr_seeds,
    gr_stability,
    gr_table2,
    gr_table3_4,
    gr_table5,
    loo_atlas,
    tracin_removal,
    tracin_table1,
)
from gr_tf import files
from gr_tf.asking.answer import signed
from gr_tf.asking.check import check_frame, check_of_dict, conclusion
from gr_tf.report.tables import as_markdown, removal_frame

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
DOCUMENTS = ("README.md", "BUILD_NOTES.md")
_PLACE = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


# In the order of the paper's tables.
_MODELS = [(dataset, model) for dataset in ("nations", "fb15k237", "movielens") for model in ("distmult", "complex")]


def _removal_table(name: str) -> str:
    return as_markdown(removal_frame(_read(name)["table"]))


def _table_1(metric: str) -> str:
    """PD% or TC% of every dataset and model that there is a result for, the paper's in brackets."""
    rows = []
    for dataset, model in _MODELS:
        name = f"table1_{dataset}_{model}"
        if (RESULTS / f"{name}.json").exists():
            result = _read(name)
            cells = {
                f"{row['method']}-{row['k']}": f"{row[metric]:.0f} ({row['paper'][metric]})" for row in result["table"]
            }
            rows.append({"dataset": dataset, "model": model, "n": result["num_queries"], **cells})
    return as_markdown(pd.DataFrame(rows))


def _intervals(metric: str) -> str:
    """The cells of Tables 1 and 2 that have the paper's figure outside their 95% interval."""
    names = [f"table1_{dataset}_{model}" for dataset, model in _MODELS] + ["table2_nations_distmult"]
    outside = []
    for name in names:
        if (RESULTS / f"{name}.json").exists():
            result = _read(name)
            for row in result["table"]:
                paper = row["paper"][metric]
                low, high = row[f"{metric}_interval"]
                if paper is not None and not low <= paper <= high:
                    outside.append(
                        {
                            "table": name.split("_", maxsplit=1)[0].replace("table", "Table "),
                            "dataset": result["dataset"],
                            "model": result["model"],
                            "row": f"{row['method']}-{row['k']}",
                            f"{metric.upper()}% [95%]": f"{row[metric]:.1f} [{low:.1f}, {high:.1f}]",
                            "paper": paper,
                            "n": row["n"],
                        }
                    )
    return as_markdown(pd.DataFrame(outside)) if outside else "None."


def _several(prefix: str, frame: Callable[[Any], pd.DataFrame]) -> str:
    """One table of the results of several datasets."""
    names = [f"{prefix}_{dataset}" for dataset in ("nations", "fb15k237", "movielens")]
    return as_markdown(pd.concat([frame(_read(name)) for name in names if (RESULTS / f"{name}.json").exists()]))


def _statistics(result: Any) -> pd.DataFrame:
    frame = gr_table3_4.statistics_frame(result)
    frame.insert(0, "dataset", result["dataset"])
    return frame.rename(columns={result["dataset"]: "what"})


def _significance(name: str) -> str:
    return as_markdown(gr_table2.significance_frame(_read(name)))


def _table_5() -> str:
    return as_markdown(gr_table5.frame([_read(path.stem) for path in sorted(RESULTS.glob("table5_*.json"))]))


def _fia_rq1(frame: Callable[[list[Any]], pd.DataFrame]) -> str:
    return as_markdown(frame([_read(path.stem) for path in sorted(RESULTS.glob("fia_rq1_*.json"))]))


def _fia_rq2() -> str:
    return as_markdown(pd.concat([fia_rq2.frame(_read(path.stem)) for path in sorted(RESULTS.glob("fia_rq2_*.json"))]))


def _fia_rq3(name: str) -> str:
    result = _read(name)
    table = fia_rq3.frame(result["item_based"]).drop(columns=["user", "example_id"])
    return f"{fia_rq3.summary(result)}\n\n{as_markdown(table)}"


def _explanation(name: str) -> str:
    told = _read(name)
    examples = pd.DataFrame([*told["proponents"], *told["opponents"]])
    examples["influence"] = examples["influence"].map(signed)
    checks = [check_of_dict(check) for check in told["checks"]]
    return (
        f"({', '.join(told['asked'])}) -> {told['predicted']}, p = {told['probability']:.3f}\n\n"
        f"{as_markdown(examples)}\n\n{as_markdown(check_frame(checks))}\n\n{conclusion(checks)}"
    )


def _atlas() -> str:
    tables = [loo_atlas.frame(_read(path.stem)) for path in sorted(RESULTS.glob("atlas_*.json"))]
    table = pd.concat(tables)
    return as_markdown(table[table["examples"].isin(fidelity_tables.STRATA)])


def _fidelity(name: str) -> str:
    result = _read(name)
    return f"{fidelity_tables.ceiling_lines(result)}\n\n{as_markdown(fidelity_tables.frame(result))}"


def _several_fidelity(frame: Callable[[Any], pd.DataFrame]) -> str:
    return as_markdown(pd.concat([frame(_read(path.stem)) for path in sorted(RESULTS.glob("fidelity_nations_*.json"))]))


def _rating_rollback(name: str) -> str:
    result = _read(name)
    told = fidelity_rating_rollback.truth_line(result)
    return f"{told}\n\n{as_markdown(fidelity_rating_rollback.frame(result))}"


def _suspects() -> str:
    return as_markdown(pd.concat([find_suspects.frame(_read(p.stem)) for p in sorted(RESULTS.glob("suspects_*.json"))]))


def _seeds(name: str) -> str:
    result = _read(name)
    ranking = result["test_ranking"]
    means = ", ".join(
        f"{metric} {ranking['mean'][metric]:.1f} +- {ranking['sd'][metric]:.1f}" for metric in ranking["mean"]
    )
    return (
        f"{as_markdown(gr_seeds.frame(result))}\n\nTest ranking over the same {len(result['epochs'])} seeds: {means}."
    )


FIGURES: dict[str, Callable[[], str]] = {
    "table1_nations_distmult": lambda: _removal_table("table1_nations_distmult"),
    "table1_pd": lambda: _table_1("pd"),
    "table1_tc": lambda: _table_1("tc"),
    "table1_pd_outside": lambda: _intervals("pd"),
    "table1_tc_outside": lambda: _intervals("tc"),
    "table2": lambda: _removal_table("table2_nations_distmult"),
    "table2_significance": lambda: _significance("table2_nations_distmult"),
    "table3": lambda: _several("table3_4", _statistics),
    "table4": lambda: _several("table3_4", gr_table3_4.ranking_frame),
    "table5": _table_5,
    "figure2_constraints": lambda: as_markdown(gr_figure2.frame(_read("figure2_constraints"))),
    "figure2": lambda: as_markdown(gr_figure2.frame(_read("figure2"))),
    "figure4": lambda: as_markdown(gr_figure4.frame(_read("figure4"))),
    "stability": lambda: as_markdown(gr_stability.frame(_read("stability_nations"))),
    "defects": lambda: as_markdown(gr_defects.frame(_read("defects_nations"))),
    "defects_sigmoid": lambda: as_markdown(gr_defects.frame(_read("defects_nations_sigmoid"))),
    "defects_merged": lambda: as_markdown(gr_defects.frame(_read("defects_nations_merged"))),
    "movielens_rate": lambda: as_markdown(gr_table3_4.ranking_frame(_read("table3_4_movielens_rate0.003"))),
    "seeds_nations_distmult": lambda: _seeds("seeds_nations_distmult"),
    "seeds_nations_complex": lambda: _seeds("seeds_nations_complex"),
    "seeds_nations_sigmoid": lambda: _seeds("seeds_nations_sigmoid"),
    "fia_rq1": lambda: _fia_rq1(fia_rq1.frame),
    "fia_models": lambda: _fia_rq1(fia_rq1.models_frame),
    "fia_rq1_steps": lambda: as_markdown(fia_rq1.by_steps_frame(_read("fia_rq1_movielens-1m_mf"))),
    "fia_rq2": _fia_rq2,
    "fia_rq3": lambda: _fia_rq3("fia_rq3_movielens-1m_mf"),
    "tracin_table1": lambda: as_markdown(tracin_table1.frame(_read("tracin_table1_movielens-100k"))),
    "tracin_removal_published": lambda: as_markdown(tracin_removal.frame(_read("tracin_removal_published"))),
    "tracin_removal_proper": lambda: as_markdown(tracin_removal.frame(_read("tracin_removal_proper"))),
    "suspects": _suspects,
    "atlas": _atlas,
    "fidelity_nations_distmult": lambda: _fidelity("fidelity_nations_distmult"),
    "fidelity_nations_complex": lambda: _fidelity("fidelity_nations_complex"),
    "fidelity_own": lambda: _several_fidelity(fidelity_tables.own_frame),
    "fidelity_ratings": lambda: as_markdown(
        fidelity_ratings.frame(_read("ratings_fidelity_movielens-100k_mf")).drop(columns="dataset")
    ),
    "fidelity_rating_rollback": lambda: _rating_rollback("ratings_rollback_movielens-100k_mf"),
    "fidelity_blends": lambda: _several_fidelity(fidelity_tables.blend_frame),
    "explain_nations": lambda: _explanation("explain_nations"),
    "benchmark": lambda: as_markdown(benchmark.frame(_read("benchmark")["rows"])),
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
