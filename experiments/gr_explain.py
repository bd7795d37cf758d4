"""Explains predictions by the training triples that made them (Gradient Rollback, step 2).

python -m experiments.gr_explain                                    # every test prediction
python -m experiments.gr_explain --head=poland --relation=ngoorgs3  # one question, printed
"""

from experiments import query_flags, sample_flags
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.commands import common, k_flag, run_flags
from gr_tf.evaluation.explained import explain_run
from gr_tf.report.tables import as_text, with_labels
from gr_tf.tasks import stage as training

common.adopt(query_flags, run_flags, sample_flags)


def main() -> None:
    folder = run_flags.run_dir("nations-distmult")
    trained = training.load(folder)
    task, query = trained.task, query_flags.asked(trained)
    if query is not None:
        explanation = GradientRollback(trained).explain(query, k_flag.K.value)
        answer = task.names_of(query)[query.place]
        print(f"({', '.join(task.asked(query))}) -> {answer}, p = {explanation.prediction:.4f}")
        print(f"The {len(explanation.frame)} most influential of {task.num_examples} training triples:")
        print(as_text(with_labels(task, explanation)))
        return
    sample, overwrite = sample_flags.of_flags(task.dataset.name), run_flags.OVERWRITE.value
    stage = explain_run(folder, k_flag.K.value, method="gr", **sample, overwrite=overwrite)
    result = stage.result()
    print(f"Explained {len(result['predictions'])} of {result['num_predictions']} distinct predictions,")
    print(f"which {result['num_test']} test triples ask for.")
    for name, what in (("num_adjacent", "adjacent"), ("num_supporting", "supporting (influence >= 0)")):
        print(f"{what} training triples: {result[name]['mean']:.1f} +- {result[name]['sd']:.1f} a prediction")
    if result["num_without_prediction"]:
        print(f"{result['num_without_prediction']} test rows have no prediction: every entity is a known tail.")
    print(f"Written to {stage.path}; next: python -m experiments.gr_evaluate --run_dir={folder}")


if __name__ == "__main__":
    common.start(main)
