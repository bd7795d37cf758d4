"""Figure 3 of Lawrence et al. (2021): an explanation drawn as a graph.

python -m experiments.gr_figure3                                    # the most probable right test prediction
python -m experiments.gr_figure3 --head=poland --relation=ngoorgs3
"""

import dataclasses
import pathlib
from typing import Any

from absl import flags

from experiments import common, k_flag, model_flags, query_flags, run_flags, train_flags
from gr_tf.attribution.queries import explained_predictions
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.report import figures
from gr_tf.report.explanation_graph import explanation_graph
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.stages import train
from gr_tf.stages.train import TrainedRun

for module in (query_flags, run_flags, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "figure3"
DEFAULTS = {"k": 6}


def run(trained: TrainedRun, run_dir: pathlib.Path, query: Query, k: int, overwrite: bool = False) -> dict[str, Any]:
    """Writes figure3/figure3.png and figure3/result.json.

    Args:
        trained: a finished training.
        run_dir: its folder.
        query: what is explained.
        k: how many examples are drawn.
        overwrite: drop a figure that is there.

    Returns:
        What result.json holds.
    """
    explanation = trained.explainer().explain(query, k)
    triples = trained.triples
    names = dict(zip(("head", "relation", "tail"), triples.names_of(query), strict=True))
    settings = {"training_fingerprint": trained.fingerprint, "query": dataclasses.asdict(query), "k": k}
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite) as stage:
        result = {
            "dataset": triples.name,
            "model": trained.trainer.config.model,
            "config": trained.trainer.config.to_dict(),
            "checksums": dict(triples.checksums),
            "query": names,
            "p": explanation.probability,
            "examples": explanation.frame.to_dict("records"),
        }
        figures.save(explanation_graph(explanation), stage.path / f"{NAME}.png")
        stage.finish(result)
        result = stage.result()
    print(f"({triples.label(names['head'])}, {triples.label(names['relation'])}, ?) -> {triples.label(names['tail'])}")
    print(as_text(explanation.labeled_frame))
    return result


def _surest_right(trained: TrainedRun) -> Query:
    predictions = explained_predictions(trained.trainer.model, trained.table, trained.triples)
    right = [prediction for prediction in predictions if any(prediction.correct)]
    if not right:
        raise InputError("no test prediction is right: name a question with --head and --relation.")
    return max(right, key=lambda prediction: prediction.probability).query


def main() -> None:
    triples = train_flags.load_dataset()
    config = train_flags.config_of_flags(triples.name)
    folder = run_flags.run_dir(f"{triples.name}-{config.model}")
    train.run(triples, config, folder, reuse=True, checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value)
    trained = train.load(folder)
    query = query_flags.asked(trained) or _surest_right(trained)
    run(trained, folder, query, k_flag.K.value, run_flags.OVERWRITE.value)
    print(f"Written to {folder / NAME}: {NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
