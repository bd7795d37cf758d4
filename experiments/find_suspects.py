"""Which training examples look like mistakes? And with mistakes made on purpose: who finds them?

python -m experiments.find_suspects --data_dir=my/folder              # your own data, the most suspicious first
python -m experiments.find_suspects --dataset=nations --flip=0.1      # an experiment: a tenth of the tails is wrong
"""

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import ask_flags, common, k_flag, model_flags, rating_flags, run_flags, seed_flags, train_flags
from gr_tf import files
from gr_tf.asking import opening
from gr_tf.asking.graph import GraphAsker
from gr_tf.asking.ratings import RatingAsker
from gr_tf.attribution.base import checked_k
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.attribution.suspicion import GRAPH_SCORES, RATING_SCORES, graph_suspicion, rating_suspicion
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.corruption import Corrupted, flip_ratings, flip_tails
from gr_tf.evaluation.detection import Detection
from gr_tf.evaluation.journal import Journal
from gr_tf.models.ranking import validation_mrr
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text, mean_and_sd
from gr_tf.training.config import TrainConfig
from gr_tf.training.rating_config import RatingTrainConfig
from gr_tf.training.rating_trainer import RatingTrainer
from gr_tf.training.trainer import Trainer

for module in (ask_flags, k_flag, model_flags, rating_flags, run_flags, seed_flags, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "suspects"
RANDOM = "random"
Scores = Callable[[str], np.ndarray]

_BY = flags.DEFINE_string(
    "by",
    None,
    "Rank by: of triples gr, tracin, harm, loss; of ratings fia, tracin, harm, loss. Default: loss, which found most.",
)
_FLIP = flags.DEFINE_float(
    "flip", None, "Make this share of the training examples wrong first, and tell how well each way finds them."
)


def evaluate(
    dataset: TripleSet | RatingSet,
    config: TrainConfig | RatingTrainConfig,
    run_dir: pathlib.Path,
    share: float,
    num_seeds: int = 1,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Makes mistakes, trains, and ranks; a seed is one of the mistakes and of the training.

    Args:
        dataset: without mistakes.
        config: of the trainings; TrainConfig for triples.
        run_dir: the run's folder; writes suspects/result.json.
        share: of the training examples that are made wrong, and that are looked at.
        num_seeds: counted up from config.seed.
        overwrite: drop what is there.

    Returns:
        What result.json holds.

    Raises:
        InputError: if the share is out of range.
    """
    flip(dataset, share, config.seed)  # refuses a bad share before any training
    ways = [*(GRAPH_SCORES if isinstance(dataset, TripleSet) else RATING_SCORES), RANDOM]
    seeds = range(config.seed, config.seed + num_seeds)
    settings = {"dataset": dataset.name, "checksum": dataset.checksum, "config": config.to_dict(), "share": share}
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite, reuse=True) as stage:
        journal = Journal(stage.path / "detections.jsonl", ["seed", "way", "auroc", "recall", "share"])
        done = {(record["seed"], record["way"]) for record in journal.records}
        with progress("rankings", len(seeds) * len(ways), sum((s, w) in done for s in seeds for w in ways)) as bar:
            for seed in seeds:
                todo = [way for way in ways if (seed, way) not in done]
                if not todo:
                    continue
                corrupted = flip(dataset, share, seed)
                scores = _trained(corrupted.dataset, dataclasses.replace(config, seed=seed))
                for way in todo:
                    if way == RANDOM:
                        suspicion = np.random.default_rng((seed, share_id(share))).random(dataset.num_examples)
                    else:
                        suspicion = scores(way)
                    detection = Detection.of(suspicion, corrupted.wrong, share)
                    journal.add({"seed": seed, "way": way, **dataclasses.asdict(detection)})
                    bar.advance()
        journal.close()
        rows = [
            {
                "way": way,
                **{
                    name: [
                        next(r[name] for r in journal.records if (r["seed"], r["way"]) == (seed, way)) for seed in seeds
                    ]
                    for name in ("auroc", "recall")
                },
            }
            for way in ways
        ]
        stage.finish({"rows": rows, "seeds": list(seeds), "num_train": dataset.num_examples})
        return dict(stage.result())


def flip(dataset: TripleSet | RatingSet, share: float, seed: int) -> Corrupted:
    """Mistakes in a share of the training examples.

    Raises:
        InputError: if the share is out of range.
    """
    return flip_tails(dataset, share, seed) if isinstance(dataset, TripleSet) else flip_ratings(dataset, share, seed)


def share_id(share: float) -> int:
    """A whole number for a share, to draw from."""
    return round(share * 1_000_000)


def _trained(dataset: TripleSet | RatingSet, config: TrainConfig | RatingTrainConfig) -> Scores:
    """The scores of a training on some data."""
    if isinstance(dataset, TripleSet) and isinstance(config, TrainConfig):
        trainer = Trainer(dataset, config)
        store = RollbackStore(dataset.num_examples, trainer.model.width, config.dtype)
        result = trainer.run(store=store, validate=validation_mrr(trainer.model, dataset))
        return graph_suspicion(trainer, result.table, store.to_numpy())
    assert isinstance(dataset, RatingSet)
    assert isinstance(config, RatingTrainConfig)
    of_ratings = RatingTrainer(dataset, config)
    state = of_ratings.run(of_ratings.initial_state(), config.steps, seed=config.seed)
    return rating_suspicion(of_ratings, state.parameters)


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """For reading, from result.json."""
    share = result["settings"]["share"]
    return pd.DataFrame(
        {
            "dataset": result["settings"]["dataset"],
            "ranked by": [row["way"] for row in result["rows"]],
            "AUROC": [mean_and_sd(row["auroc"], 3) for row in result["rows"]],
            f"found in the first {share:.0%}": [
                mean_and_sd([100 * value for value in row["recall"]], 1) + "%" for row in result["rows"]
            ],
            "seeds": len(result["seeds"]),
        }
    )


def suspects(asker: GraphAsker | RatingAsker, way: str) -> pd.DataFrame:
    """The training examples of a trained model, the most suspicious first: score, what it is, example_id.

    Args:
        asker: of the model.
        way: a key of GRAPH_SCORES or RATING_SCORES.
    """
    if isinstance(asker, GraphAsker):
        trained = asker.trained
        scores = graph_suspicion(trained.trainer, trained.table, trained.deltas)(way)
        examples = asker.triples.train_frame.map(asker.triples.label)
    else:
        scores = rating_suspicion(asker.trained.trainer, asker.trained.parameters)(way)
        examples = asker.ratings.train_frame
    found = examples.assign(example_id=np.arange(len(scores)))
    found.insert(0, way, scores)
    return found.sort_values(way, ascending=False, kind="stable")


def _evaluate_flags(share: float, graph: bool) -> None:
    data: TripleSet | RatingSet
    config: TrainConfig | RatingTrainConfig
    if graph:
        data = train_flags.load_dataset()
        config = TrainConfig(**(opening.graph_settings(data) | train_flags.asked_settings()))
    else:
        data_dir = model_flags.DATA_DIR.value
        name = model_flags.DATASET.value or opening.own_name(data_dir)
        data = load_ratings(name, data_dir, rating_flags.split_of_flags())
        for note in data.notes:
            print(note, file=sys.stderr)
        asked = rating_flags.asked_settings()
        preset = opening.rating_settings(data.name, asked.get("model", "mf"), data.num_examples)
        config = RatingTrainConfig(**(preset | asked))
    folder = run_flags.run_dir(f"{data.name}-{config.model}-flipped")
    result = evaluate(data, config, folder, share, seed_flags.NUM_SEEDS.value, overwrite=run_flags.OVERWRITE.value)
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME / 'result.json'}.")


def main() -> None:
    graph = ask_flags.kind() == opening.GRAPH
    ways = GRAPH_SCORES if graph else RATING_SCORES
    if _FLIP.value is not None:
        ask_flags.refuse_a_run_alone()
        for name in ("by", "k"):
            if flags.FLAGS[name].present:
                raise InputError(f"--{name} is not for --flip, which compares all ways to rank.")
        _evaluate_flags(_FLIP.value, graph)
        return
    if flags.FLAGS["num_seeds"].present:
        raise InputError("--num_seeds is for --flip.")
    way = _BY.value or "loss"
    if way not in ways:
        raise InputError(f"by must be one of {', '.join(ways)} for this data; got {way!r}.")
    checked_k(k_flag.K.value)
    found = suspects(ask_flags.open_asker(), way)
    path = ask_flags.folder() / "suspects.csv"
    files.write_text(path, found.to_csv(index=False))
    print(f"The most suspicious of {len(found)} training examples, by {way} ({ways[way]}):")
    print(as_text(found.head(k_flag.K.value)))
    print(f"All of them are in {path}.")


if __name__ == "__main__":
    common.start(main)
