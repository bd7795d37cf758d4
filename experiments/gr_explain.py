"""Explains predictions by the training triples that made them (Gradient Rollback, step 2).

python -m experiments.gr_explain                                    # every test prediction
python -m experiments.gr_explain --head=poland --relation=ngoorgs3  # one question, printed
"""

from absl import flags

from experiments import common, explain_flags, k_flag, query_flags, run_flags
from gr_tf.data.triples import Query
from gr_tf.report.tables import as_text
from gr_tf.stages import explain, train
from gr_tf.stages.train import TrainedRun

for module in (explain_flags, query_flags, run_flags):
    flags.adopt_module_key_flags(module)


def _print_one(trained: TrainedRun, query: Query) -> None:
    triples = trained.triples
    explanation = trained.explainer().explain(query, k_flag.K.value)
    head, relation, tail = map(triples.label, triples.names_of(query))
    print(f"({head}, {relation}, ?) -> {tail}, p = {explanation.probability:.4f}")
    print(f"The {len(explanation.frame)} most influential of {triples.num_examples} training triples:")
    print(as_text(explanation.labeled_frame))


def main() -> None:
    folder = run_flags.run_dir()
    trained = train.load(folder)
    query = query_flags.asked(trained)
    if query is not None:
        _print_one(trained, query)
        return
    stage = explain.run(
        folder,
        k_flag.K.value,
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
