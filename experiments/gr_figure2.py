"""Figure 2 of Lawrence et al. (2021): what rolling back predicts, against what retraining gives.

python -m experiments.gr_figure2

For each constraint on the embedding norms a table 1 is made, or found in its folder, and the retrainings
of GR-1 are drawn: the probability that Gradient Rollback predicts after the removal against the one
after retraining.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from absl import flags

from experiments import common, evaluate_flags, explain_flags, gr_table1, run_flags, train_flags
from experiments.removal_table import Asked
from gr_tf.constraints import CONSTRAINTS
from gr_tf.data.sources import published_name
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.correlation import pearson
from gr_tf.report import figures, published
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.training.config import TrainConfig

for module in (evaluate_flags, explain_flags, run_flags, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "figure2"
_CONSTRAINTS = flags.DEFINE_list(
    "constraints",
    None,
    f"Constraints to compare: {', '.join(CONSTRAINTS)}. Default: all on nations; on other data none, since "
    "constraints need dense steps.",
)


def run(
    triples: TripleSet, config: TrainConfig, run_dir: pathlib.Path, asked: Asked, constraints: Sequence[str]
) -> dict[str, Any]:
    """Makes what is missing of the tables, and writes figure2/figure2.png and figure2/result.json.

    Args:
        triples: the dataset.
        config: the training; its constraint is set to each of `constraints`.
        run_dir: the folder of the table without constraint; the others' stand beside it.
        asked: see gr_table1; must have the method GR and k = 1.
        constraints: some of CONSTRAINTS.

    Returns:
        What result.json holds.
    """
    if "GR" not in asked.methods or "1" not in asked.ks:
        raise InputError("Figure 2 is about GR-1: it needs GR in --methods and 1 in --ks.")
    panels, made_from = [], {}
    for constraint in constraints:
        folder = run_dir if constraint == "none" else run_dir.with_name(f"{run_dir.name}-{constraint}")
        table = gr_table1.run(
            triples, dataclasses.replace(config, constraint=constraint), folder, dataclasses.replace(asked, reuse=True)
        )
        panels.append(_panel(constraint, table))
        made_from[constraint] = table["settings"]
    with RunDir.begin(run_dir / NAME, {"made_from": made_from}, overwrite=asked.overwrite) as stage:
        paper = published.FIGURE_2 if (published_name(triples), config.model) == ("nations", "distmult") else {}
        result = {
            "dataset": triples.name,
            "model": config.model,
            "panels": [panel | {"paper": paper.get(panel["constraint"])} for panel in panels],
        }
        figures.save(draw(result), stage.path / f"{NAME}.png")
        stage.finish(result)
    return result


def _panel(constraint: str, table: Mapping[str, Any]) -> dict[str, Any]:
    rows = pd.DataFrame(table["retrainings"])
    rows = rows[(rows["method"] == "GR") & (rows["k"] == "1") & rows["p_predicted"].notna()]
    before, predicted, retrained = rows["p_before"], rows["p_predicted"], rows["p_after"]
    return {
        "constraint": constraint,
        "lipschitz": table["lipschitz"],
        "tc": 100 * float(rows["tc"].mean()),
        "pearson": dataclasses.asdict(pearson(predicted.tolist(), retrained.tolist())),
        # The probabilities share what they were before; their changes do not.
        "pearson_of_change": dataclasses.asdict(pearson((before - predicted).tolist(), (before - retrained).tolist())),
        "p_before": before.tolist(),
        "p_predicted": predicted.tolist(),
        "p_retrained": retrained.tolist(),
    }


def draw(result: Mapping[str, Any]) -> Any:
    """The figure, from result.json."""
    return figures.prediction_scatter(
        [
            figures.Scatter(
                f"{result['dataset']}, {result['model']}, {panel['constraint'].replace('_', ' ')}\n"
                f"r = {panel['pearson']['r']:.2f}, Lipschitz {panel['lipschitz']:.2f}, n = {panel['pearson']['n']}",
                panel["p_predicted"],
                panel["p_retrained"],
            )
            for panel in result["panels"]
        ]
    )


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """The figure's numbers for reading, from result.json."""

    def correlation(panel: Mapping[str, Any], name: str) -> str:
        values = panel[name]
        return f"{values['r']:.2f} [{values['low']:.2f}, {values['high']:.2f}]"

    def paper(panel: Mapping[str, Any], place: int) -> str:
        return "-" if panel["paper"] is None else str(panel["paper"][place])

    panels = result["panels"]
    return pd.DataFrame(
        {
            "constraint": [panel["constraint"] for panel in panels],
            "Lipschitz": [f"{panel['lipschitz']:.2f}" for panel in panels],
            "paper Lipschitz": [paper(panel, 0) for panel in panels],
            "GR-1 TC%": [f"{panel['tc']:.1f}" for panel in panels],
            "paper GR-1 TC%": [paper(panel, 1) for panel in panels],
            "r [95%]": [correlation(panel, "pearson") for panel in panels],
            "r of the changes [95%]": [correlation(panel, "pearson_of_change") for panel in panels],
            "n": [panel["pearson"]["n"] for panel in panels],
        }
    )


def main() -> None:
    triples = train_flags.load_dataset()
    config = train_flags.config_of_flags(triples.name)
    folder = run_flags.run_dir(f"{triples.name}-{config.model}")
    constraints = _CONSTRAINTS.value or (CONSTRAINTS if published_name(triples) == "nations" else ["none"])
    result = run(triples, config, folder, Asked.of_flags(triples.name), constraints)
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}: {NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main)
