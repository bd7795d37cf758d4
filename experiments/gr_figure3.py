"""Figure 3 of Lawrence et al. (2021): an explanation drawn as a graph.

python -m experiments.gr_figure3                                    # the most probable right test prediction
python -m experiments.gr_figure3 --head=poland --relation=ngoorgs3
"""

from typing import Any

from experiments import query_flags
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.commands import common, k_flag, run_flags, triple_flags
from gr_tf.data.dataset import fields_of
from gr_tf.errors import InputError
from gr_tf.report import figures
from gr_tf.report.explanation_graph import explanation_graph
from gr_tf.report.tables import as_text, with_labels
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.trained import Trained

common.adopt(query_flags, run_flags, triple_flags)

NAME = "figure3"
DEFAULTS = {"k": 6}


def _surest_right(trained: Trained) -> Any:
    right = [told for told in trained.task.test_predictions(trained.parameters) if any(told.correct)]
    if not right:
        raise InputError("no test prediction is right: name a question with --head and --relation.")
    return max(right, key=lambda told: told.probability).query


def main() -> None:
    task = triple_flags.load_task()
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}")
    trained = run_flags.trained(task, folder)
    query = query_flags.asked(trained) or _surest_right(trained)
    explanation = GradientRollback(trained).explain(query, k_flag.K.value)
    settings = {"training_fingerprint": trained.fingerprint, "query": fields_of(query), "k": k_flag.K.value}
    with RunDir.begin(folder / NAME, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        figures.save(explanation_graph(explanation, trained.task), stage.place(f"{NAME}.png"))
        stage.finish(
            {
                "dataset": task.dataset.name,
                "model": task.config.model,
                "config": task.config.to_dict(),
                "checksums": dict(task.dataset.checksums),
                "query": task.row_of(query),
                "p": explanation.prediction,
                "examples": explanation.frame.to_dict("records"),
            }
        )
    print(f"({', '.join(task.asked(query))}) -> {task.names_of(query)[query.place]}")
    print(as_text(with_labels(task, explanation)))
    print(f"Written to {folder / NAME}: {NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
