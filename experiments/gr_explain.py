"""Explains predictions by the training triples that made them (Gradient Rollback, step 2).

python -m experiments.gr_explain                                    # every test prediction
python -m experiments.gr_explain --head=poland --relation=ngoorgs3  # one question, printed
"""

import dataclasses
import pathlib

import numpy as np
from absl import flags

from experiments import common, explain_flags, run_flags
from gr_tf.attribution.queries import named_query
from gr_tf.errors import InputError
from gr_tf.report.tables import as_text
from gr_tf.stages import explain, train

for module in (explain_flags, run_flags):
    flags.adopt_module_key_flags(module)

_HEAD = flags.DEFINE_string("head", None, "Head of the one question to explain.")
_RELATION = flags.DEFINE_string("relation", None, "Relation of the one question to explain.")
_TAIL = flags.DEFINE_string("tail", None, "Tail to explain; default: the most probable one that is not known.")
_K = flags.DEFINE_integer("k", 10, "Most influential triples to print, or to list in explanations.csv.")


def _print_one(folder: pathlib.Path) -> None:
    if _HEAD.value is None or _RELATION.value is None:
        raise InputError("one question needs both --head and --relation.")
    trained = train.load(folder)
    triples = trained.triples
    query = named_query(trained.trainer.model, trained.table, triples, _HEAD.value, _RELATION.value, _TAIL.value)
    explanation = trained.explainer().explain(query, _K.value)
    name = triples.names(np.array([dataclasses.astuple(query)])).iloc[0]
    print(f"({name['head']}, {name['relation']}, ?) -> {name['tail']}, p = {explanation.probability:.4f}")
    print(f"The {len(explanation.frame)} most influential of {triples.num_examples} training triples:")
    print(as_text(explanation.frame))


def main() -> None:
    folder = run_flags.run_dir()
    if (_HEAD.value, _RELATION.value, _TAIL.value) != (None, None, None):
        _print_one(folder)
        return
    trained = train.load(folder)
    stage = explain.run(
        folder,
        _K.value,
        num_queries=explain_flags.num_queries(trained.triples.name),
        query_seed=explain_flags.QUERY_SEED.value,
        right_if=explain_flags.RIGHT_IF_FLAG.value,
        overwrite=run_flags.OVERWRITE.value,
    )
    result = stage.result()
    rows = result["predictions"]
    print(f"Explained {len(rows)} of {result['num_predictions']} distinct predictions,")
    print(f"which {result['num_test']} test triples ask for.")
    for name, what in (("num_adjacent", "adjacent"), ("num_supporting", "supporting (influence >= 0)")):
        print(f"{what} training triples: {result[name]['mean']:.1f} +- {result[name]['sd']:.1f} a prediction")
    if result["num_without_prediction"]:
        print(f"{result['num_without_prediction']} test rows have no prediction: every entity is a known tail.")
    print(f"Written to {stage.path}; next: python -m experiments.gr_evaluate --run_dir={folder}")


if __name__ == "__main__":
    common.start(main)
