"""Trains a model and keeps what each training triple changed (Gradient Rollback, step 1).

python -m experiments.gr_train                       # Nations
python -m experiments.gr_train --data_dir=my/folder  # your train.txt, valid.txt, test.txt
"""

from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.report.removal_table import ranking_beside_paper
from gr_tf.report.tables import as_text, ranking_frame
from gr_tf.tasks import stage as training

common.adopt(run_flags, triple_flags)

STEPS_TOLD = {
    "dense": "the whole table",
    "rows": "the rows it touches (the others catch up)",
    "batches": "the rows of a batch",
}


def main() -> None:
    task = triple_flags.load_task()
    triples, config = task.dataset, task.config
    stage = training.train(
        task,
        run_flags.run_dir(f"{triples.name}-{config.model}"),
        overwrite=run_flags.OVERWRITE.value,
        checkpoint_seconds=run_flags.CHECKPOINT_SECONDS.value,
    )
    result = stage.result()
    last = result["history"][result["epoch"] - 1]
    print(f"Trained {config.model} on {triples.name}: {triples.num_examples} triples, {config.epochs} epochs,")
    print(f"{STEPS_TOLD[task.steps.how]} at each step.")
    print(f"Selected epoch {result['epoch']}: validation MRR {last['validation']['mrr']:.4f}.")
    print(as_text(ranking_frame(ranking_beside_paper(result, task))))
    print(f"Written to {stage.path}; next: python -m experiments.gr_explain --run_dir={stage.path.parent}")


if __name__ == "__main__":
    common.start(main)
