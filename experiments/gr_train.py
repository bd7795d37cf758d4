"""Trains a model and keeps what each training triple changed (Gradient Rollback, step 1).

python -m experiments.gr_train                       # Nations
python -m experiments.gr_train --data_dir=my/folder  # your train.txt, valid.txt, test.txt
"""

from absl import flags

from experiments import common, model_flags, run_flags, train_flags
from gr_tf.report.tables import as_text, ranking_frame
from gr_tf.stages import train

for module in (run_flags, train_flags):
    flags.adopt_module_key_flags(module)

STEPS_TOLD = {"dense": "the whole table", "rows": "the rows it touches (the others catch up)"}


def main() -> None:
    triples = train_flags.load_dataset()
    config = train_flags.config_of_flags(triples.name)
    stage = train.run(
        triples,
        config,
        run_flags.run_dir(f"{triples.name}-{config.model}"),
        overwrite=run_flags.OVERWRITE.value,
        checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value,
    )
    result = stage.result()
    last = result["history"][result["epoch"] - 1]
    print(f"Trained {config.model} on {triples.name}: {triples.num_examples} triples, {config.epochs} epochs,")
    print(f"{STEPS_TOLD[result['steps']]} at each step.")
    print(f"Selected epoch {result['epoch']}: validation MRR {last['validation_mrr']:.4f}.")
    print(as_text(ranking_frame(result["test_ranking"])))
    print(f"Written to {stage.path}; next: python -m experiments.gr_explain --run_dir={stage.path.parent}")


if __name__ == "__main__":
    common.start(main)
