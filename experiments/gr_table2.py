"""Table 2 of Lawrence et al. (2021): Gradient Rollback beside CRIAGE, on Nations with the sigmoid loss.

python -m experiments.gr_table2
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import pandas as pd
from absl import flags

from experiments import common, evaluate_flags, explain_flags, removal_table, run_flags, train_flags
from experiments.removal_table import Asked
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.significance import randomization_test
from gr_tf.report.tables import as_text
from gr_tf.stages.evaluate import METHODS
from gr_tf.training.config import TrainConfig

for module in (evaluate_flags, explain_flags, run_flags, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "table2"
DEFAULTS = {"loss": "sigmoid", "methods": list(METHODS), "ks": ["1", "3", "5", "10"]}
# The paper's: every method against NH, and GR and GR-O against CRIAGE; and our two against each other.
_PAIRS = (("CRIAGE", "NH"), ("GR-O", "NH"), ("GR", "NH"), ("GR-O", "CRIAGE"), ("GR", "CRIAGE"), ("GR", "GR-O"))


def run(triples: TripleSet, config: TrainConfig, run_dir: pathlib.Path, asked: Asked) -> dict[str, Any]:
    """Does what is missing of the three steps, and tests the methods' differences; see removal_table.run.

    Raises:
        InputError: if the loss is not "sigmoid".
    """
    if config.loss != "sigmoid":
        raise InputError(f"Table 2 is about models trained with the sigmoid loss; got {config.loss!r}.")
    return removal_table.run(triples, config, run_dir, asked, NAME, _significance)


def _significance(evaluated: Mapping[str, Any]) -> dict[str, Any]:
    """The approximate randomization test of each pair of methods at each size."""
    outcomes = pd.DataFrame(evaluated["retrainings"])
    rows = []
    for first, second in _PAIRS:
        for k in outcomes["k"].unique():
            one, other = (
                outcomes[(outcomes["method"] == method) & (outcomes["k"] == k)].set_index("prediction")
                for method in (first, second)
            )
            if len(one) and len(other):
                other = other.loc[one.index]
                p_values = {
                    f"{name}_p": randomization_test(one[name].tolist(), other[name].tolist()) for name in ("pd", "tc")
                }
                rows.append({"first": first, "second": second, "k": k, **p_values})
    return {"significance": rows}


def significance_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """The tests for reading, from result.json."""
    rows = result["significance"]
    return pd.DataFrame(
        {
            "difference": [f"{row['first']} - {row['second']}, k = {row['k']}" for row in rows],
            **{f"{name.upper()} p-value": [f"{row[f'{name}_p']:.4f}" for row in rows] for name in ("pd", "tc")},
        }
    )


def main() -> None:
    triples = train_flags.load_dataset()
    config = train_flags.config_of_flags(triples.name)
    folder = run_flags.run_dir(f"{triples.name}-{config.model}-sigmoid")
    result = run(triples, config, folder, Asked.of_flags(triples.name))
    removal_table.show(result, folder, NAME)
    print("Approximate randomization test, two-sided:")
    print(as_text(significance_frame(result)))


if __name__ == "__main__":
    common.start(main, DEFAULTS)
