"""Writes the tables of the documents, from experiments/results/ and from the registry of methods.

python -m experiments.readme

A table's place is between two comments, <!-- figures: NAME --> and <!-- end -->; NAME is a key of FIGURES.
"""

import pathlib
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from experiments import (
    batch_sizes,
    benchmark,
    find_suspects,
    gr_baselines,
    gr_defects,
    gr_examples,
    gr_figure4,
    gr_seeds,
    gr_stability,
    gr_table2,
    gr_table3_4,
    gr_table5,
    graph_growth,
    graph_quality,
    rating_checks,
    rating_quality,
)
from gr_tf.asking.answer import signed
from gr_tf.asking.check import check_frame, check_of_dict, conclusion
from gr_tf.attribution.methods import methods_of
from gr_tf.commands import common
from gr_tf.report import (
    fact_tables,
    fia_tables,
    fidelity_tables,
    figure2,
    large_fidelity_tables,
    large_removal_tables,
    tracin_tables,
    trust_table,
)
from gr_tf.report.price_tables import calibration_frame, price_frame
from gr_tf.report.tables import as_markdown, removal_cells, removal_frame
from gr_tf.runs import files

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
DOCUMENTS = ("README.md", "experiments/README.md")
_PLACE = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
# The kinds of data in the order of the papers.
KINDS = ("triples", "ratings", "sequences", "keras")
_DATASETS = ("nations", "fb15k237", "movielens")
# In Table 1, of FB15k-237 and of MovieLens.
_PAPERS_PREDICTIONS = 100
_TABLES_1 = [f"table1_{dataset}_{model}" for dataset in _DATASETS for model in ("distmult", "complex")]

Frame = Callable[[Any], pd.DataFrame]
Text = Callable[[], str]


def _results(*names: str) -> list[Any]:
    """The contents of result files; a name may have wildcards, whose files are in alphabetical order."""
    return [files.read_json(path, checked=False) for name in names for path in sorted(RESULTS.glob(f"{name}.json"))]


def _each(
    frame: Frame, *names: str, above: Callable[[Any], str] | None = None, below: Callable[[Any], str] | None = None
) -> Text:
    """One table of several results, with a line about the first result above or below it."""

    def text() -> str:
        results = _results(*names)
        table = as_markdown(pd.concat([frame(result) for result in results]))
        return "\n\n".join(part(results[0]) for part in (above, lambda _: table, below) if part)

    return text


def _table_1(metric: str, result: Any) -> pd.DataFrame:
    """A row with PD% or TC% of one dataset and model, the paper's in brackets."""
    cells = {f"{row['method']}-{row['k']}": f"{row[metric]:.0f} ({row['paper'][metric]})" for row in result["table"]}
    return pd.DataFrame([{**_setting(result), "n": result["num_queries"], **cells}])


def _outside(metric: str, result: Any) -> pd.DataFrame:
    """The cells of Table 1 or 2 for which the paper's number lies outside our 95% interval."""
    table, rows = "Table 2" if "significance" in result else "Table 1", []
    for row in result["table"]:
        paper, (low, high) = row["paper"][metric], row[f"{metric}_interval"]
        if paper is not None and not low <= paper <= high:
            ours = {f"{metric.upper()}% [95%]": f"{row[metric]:.1f} [{low:.1f}, {high:.1f}]"}
            place = {"table": table, **_setting(result), "row": f"{row['method']}-{row['k']}"}
            rows.append({**place, **ours, "paper": paper, "n": row["n"]})
    return pd.DataFrame(rows)


def _sizes() -> str:
    """What is left to the paper's 100 predictions in Table 1, and how long it would take where the others were done.

    The predictions of a dataset and model are removals of its rows, a retraining each.
    """
    rows = []
    for result in _results(*_TABLES_1):
        left = (_PAPERS_PREDICTIONS - result["num_queries"]) * len(result["table"])
        if left > 0:
            seconds = result["seconds"]["evaluate"] / len(result["retrainings"])
            told = {"a retraining": f"{seconds:.0f} s", "left": left, "would take": f"{left * seconds / 3600:.1f} h"}
            rows.append({**_setting(result), "n": result["num_queries"], **told})
    return as_markdown(pd.DataFrame(rows))


def _setting(result: Any) -> dict[str, str]:
    return {name: result[name] for name in ("dataset", "model")}


def _statistics(result: Any) -> pd.DataFrame:
    frame = gr_table3_4.statistics_frame(result)
    frame.insert(0, "dataset", result["dataset"])
    return frame.rename(columns={result["dataset"]: "what"})


def _strata(result: Any) -> pd.DataFrame:
    frame = fidelity_tables.atlas_frame(result)
    return frame[frame["examples"].isin(("all", "adjacent", "shared >= 2"))]


def _ranking_over_seeds(result: Any) -> str:
    mean, sd = result["test_ranking"]["mean"], result["test_ranking"]["sd"]
    told = ", ".join(f"{metric} {mean[metric]:.1f} +- {sd[metric]:.1f}" for metric in mean)
    return f"Test ranking over the same {len(result['epochs'])} seeds: {told}."


def _causes() -> str:
    """GR-10's PD% and TC% on MovieLens as in Table 1, and with a setting that could explain the paper's numbers."""
    usual, *others = _results("table1_movielens_distmult", "causes_movielens_*")
    rows = []
    for result in (usual, *others):
        config, own = (one["settings"]["config"] for one in (usual, result))
        changed = [f"{name} {own[name]}" for name in config if own[name] != config[name]]
        changed += result["settings"]["released_defects"]
        (row,) = (row for row in result["table"] if (row["method"], row["k"]) == ("GR", "10"))
        mrr = next(one["value"] for one in result["test_ranking"] if one["metric"] == "mrr")
        rows.append({"changed": ", ".join(changed) or "nothing", "test MRR": f"{mrr:.1f}", **removal_cells(row)})
    return as_markdown(pd.DataFrame(rows))


def _recipes() -> str:
    """PD% and TC% of models by the papers' recipe and by ours, a row each."""
    rows = []
    for result in _results("table1_fb15k237_distmult", "recipe_*"):
        cells = {
            f"{row['method']}-{row['k']}: PD% / TC%": f"{row['pd']:.0f} / {row['tc']:.0f}"
            for row in result["table"]
            if row["method"] in ("NH", "GR") and row["k"] != "ALL"
        }
        ours = result["settings"]["config"].get("batch_size", 1) > 1
        mrr = next(row["value"] for row in result["test_ranking"] if row["metric"] == "mrr")
        about = {**_setting(result), "recipe": "ours" if ours else "the paper's", "test MRR": f"{mrr:.1f}"}
        rows.append({**about, "n": result["num_queries"], **cells})
    return as_markdown(pd.DataFrame(rows).sort_values(["dataset", "recipe"], kind="stable"))


def _made_with() -> str:
    """What made each result; for those that do not say it, the commit of the file."""
    rows = []
    for path in sorted(RESULTS.glob("*.json")):
        told = files.read_json(path, checked=False)
        made = told["model"]["made with"] if "made_with" not in told else told["made_with"]
        commit = made.get("commit") or f"{made['commit_of_the_file']} (of the file)"
        rows.append({"gr_tf": made["gr_tf"], "commit": commit, "date": made.get("date", ""), "results": path.stem})
    groups = pd.DataFrame(rows).groupby(["gr_tf", "commit", "date"], sort=False)["results"].agg(", ".join)
    return as_markdown(groups.reset_index().sort_values(["gr_tf", "date"], ascending=False, kind="stable"))


def _explanation() -> str:
    (told,) = _results("explain_nations")
    examples = pd.DataFrame([*told["proponents"], *told["opponents"]])
    examples["influence"] = examples["influence"].map(signed)
    checks = [check_of_dict(check) for check in told["checks"]]
    return (
        f"({', '.join(told['asked'])}) -> {told['predicted']}, p = {told['probability']:.3f}\n\n"
        f"{as_markdown(examples)}\n\n{as_markdown(check_frame(checks))}\n\n{conclusion(checks)}"
    )


def _methods() -> str:
    """The table of methods, a row for each entry of the registry; the default of each kind comes first."""
    entries = {id(entry): entry for kind in KINDS for entry in methods_of(kind).values()}
    rows = []
    for entry in entries.values():
        kinds = [f"{kind} (default)" if next(iter(methods_of(kind))) == entry.name else kind for kind in entry.kinds]
        rows.append({"method": f"`{entry.name}`", "of": ", ".join(kinds), "what it is": entry.title})
    return as_markdown(pd.DataFrame(rows))


def _facts(experiment: str) -> str:
    """The tables of Kelpie's protocol, for each dataset and model."""
    parts = []
    for result in _results(f"{experiment}_*"):
        tables = (fact_tables.frame(result), fact_tables.beyond_frame(result))
        parts += [fact_tables.heading(result), *map(as_markdown, tables)]
    return "\n\n".join(parts)


def _large() -> str:
    """The tables of the truth at real size."""
    parts = []
    for result in _results("large_*"):
        parts += [large_fidelity_tables.truth_line(result), as_markdown(large_fidelity_tables.frame(result))]
    return "\n\n".join(parts)


def _scaling() -> str:
    """What engines cost the process that asks, and how long 100 rows of Table 1 take with many workers."""
    rows = []
    for result in _results("scaling_*"):
        costs, longest = result["costs"], max(row["seconds of a training"] for row in result["rows"])
        simulated = {
            f"{row['workers']:,} workers": f"{row['seconds in all'] / 60:,.1f} min"
            for row in result["rows"]
            if row["seconds of a training"] == longest
        }
        rows.append(
            {
                "engine": result["settings"]["engine"],
                "a batch": f"{1000 * costs['batch']:.2f} ms",
                "an outcome": f"{1000 * costs['outcome']:.2f} ms",
                **simulated,
            }
        )
    return as_markdown(pd.DataFrame(rows))


def _removals() -> str:
    """The tables of what happens without the examples that methods rank first."""
    parts = []
    for result in _results("removal_*"):
        parts += [large_removal_tables.removal_line(result), as_markdown(large_removal_tables.removal_frame(result))]
    return "\n\n".join(parts)


FIGURES: dict[str, Text] = {
    "methods": _methods,
    "explain_nations": _explanation,
    "table1_nations_distmult": _each(lambda result: removal_frame(result["table"]), "table1_nations_distmult"),
    "table1_pd": _each(partial(_table_1, "pd"), *_TABLES_1),
    "table1_tc": _each(partial(_table_1, "tc"), *_TABLES_1),
    "table1_sizes": _sizes,
    "table1_pd_outside": _each(partial(_outside, "pd"), *_TABLES_1, "table2_nations_distmult"),
    "table1_tc_outside": _each(partial(_outside, "tc"), *_TABLES_1, "table2_nations_distmult"),
    "table2": _each(lambda result: removal_frame(result["table"]), "table2_nations_distmult"),
    "table2_significance": _each(gr_table2.significance_frame, "table2_nations_distmult"),
    "table3": _each(_statistics, *(f"table3_4_{dataset}" for dataset in _DATASETS)),
    "table4": _each(gr_table3_4.ranking_frame, *(f"table3_4_{dataset}" for dataset in _DATASETS)),
    "baselines": _each(gr_baselines.frame, *(f"baselines_{dataset}" for dataset in _DATASETS)),
    "movielens_causes": _causes,
    "movielens_rate": _each(gr_table3_4.ranking_frame, "table3_4_movielens_rate0.003"),
    "table5": _each(gr_table5.frame, "table5_*"),
    "examples": _each(gr_examples.frame, "examples_*"),
    "table5_beside": _each(gr_table5.beside_frame, "beside_*"),
    "figure2": _each(figure2.frame, "figure2"),
    "figure2_constraints": _each(figure2.frame, "figure2_constraints"),
    "figure4": _each(gr_figure4.frame, "figure4"),
    "stability": _each(gr_stability.frame, "stability_nations"),
    "defects": _each(gr_defects.frame, "defects_nations"),
    "defects_sigmoid": _each(gr_defects.frame, "defects_nations_sigmoid"),
    "defects_merged": _each(gr_defects.frame, "defects_nations_merged"),
    **{
        f"seeds_nations_{name}": _each(gr_seeds.frame, f"seeds_nations_{name}", below=_ranking_over_seeds)
        for name in ("distmult", "complex", "sigmoid")
    },
    "fia_rq1": _each(fia_tables.rq1_frame, "fia_rq1_*"),
    "fia_models": lambda: as_markdown(fia_tables.models_frame(_results("fia_rq1_*"))),
    "fia_rq1_steps": _each(fia_tables.by_steps_frame, "fia_rq1_movielens-1m_mf"),
    "fia_rq2": _each(fia_tables.rq2_frame, "fia_rq2_*"),
    "fia_rq3": _each(
        lambda result: fia_tables.rq3_frame(result["item_based"]).drop(columns=["user", "example_id"]),
        "fia_rq3_movielens-1m_mf",
        above=fia_tables.rq3_summary,
    ),
    "graph_removal": _recipes,
    "made_with": _made_with,
    "graph_quality": _each(graph_quality.frame, "graph_quality_*"),
    "batch_sizes": _each(batch_sizes.frame, "batch_sizes_*"),
    "rating_quality": _each(rating_quality.frame, "rating_quality_*"),
    "rating_checks": _each(rating_checks.frame, "rating_checks_*"),
    "tracin_table1": _each(tracin_tables.table1_frame, "tracin_table1_movielens-100k"),
    "tracin_removal_published": _each(tracin_tables.removal_frame, "tracin_removal_published"),
    "tracin_removal_proper": _each(tracin_tables.removal_frame, "tracin_removal_proper"),
    "suspects": _each(find_suspects.frame, "suspects_*"),
    "atlas": _each(_strata, "atlas_*"),
    **{
        f"fidelity_nations_{model}": _each(
            fidelity_tables.frame, f"fidelity_nations_{model}", above=fidelity_tables.ceiling_lines
        )
        for model in ("distmult", "complex")
    },
    "fidelity_own": _each(fidelity_tables.own_frame, "fidelity_nations_*"),
    "fidelity_blends": _each(fidelity_tables.blend_frame, "fidelity_nations_*"),
    "fidelity_ratings": _each(
        lambda result: fidelity_tables.one_model_frame(result).drop(columns="dataset"),
        "ratings_fidelity_movielens-100k_mf",
    ),
    "fidelity_rating_rollback": _each(
        fidelity_tables.seeds_frame, "ratings_rollback_movielens-100k_mf", above=fidelity_tables.truth_line
    ),
    "fidelity_rating_batches": _each(
        fidelity_tables.seeds_frame, "ratings_batches_movielens-100k_mf", above=fidelity_tables.truth_line
    ),
    "prices": _each(price_frame, "prices_*"),
    "calibration": _each(calibration_frame, "prices_*"),
    "trust": lambda: as_markdown(trust_table.trust_frame({name: _results(name) for name in trust_table.SOURCES})),
    "large": _large,
    "removals": _removals,
    "scaling": _scaling,
    "growth": _each(graph_growth.frame, "growth"),
    "necessary": partial(_facts, "necessary"),
    "sufficient": partial(_facts, "sufficient"),
    **{
        name: _each(lambda result: benchmark.frame(result["rows"]), name) for name in ("benchmark", "benchmark_engines")
    },
}


def with_figures(text: str) -> str:
    """Returns a document's text with its tables made anew."""
    return _PLACE.sub(lambda match: f"{match[1]}{FIGURES[match[2]]()}\n{match[3]}", text)


def main() -> None:
    for document in DOCUMENTS:
        path = ROOT / document
        files.write_text(path, with_figures(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    common.start(main)
