"""From files or a run's folder to somebody who can be asked."""

import pathlib
from typing import Any

from gr_tf import files
from gr_tf.asking.graph import GraphAsker
from gr_tf.asking.ratings import RatingAsker
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.data.named_tables import column_names, places_of, table_named
from gr_tf.data.rating_sources import COLUMNS as RATING_COLUMNS
from gr_tf.data.rating_sources import RATING_DATASETS, load_ratings
from gr_tf.data.ratings import RatingSplit
from gr_tf.data.sources import load_triples, published_name
from gr_tf.data.triple_split import TripleSplit
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.report.run_dir import RESULT, RUN
from gr_tf.stages import train, train_ratings
from gr_tf.training.config import PRESETS, TrainConfig
from gr_tf.training.rating_config import RatingTrainConfig, rating_preset

GRAPH, RATINGS = "graph", "ratings"
# Training steps of one's own graph, about, and at most so many epochs.
_OWN_STEPS, _OWN_EPOCHS = 500_000, 50
# Batches of an epoch of one's own ratings: as many as MovieLens-1M's.
_OWN_BATCHES = 321


def ask(
    data_dir: str | pathlib.Path | None = None,
    *,
    run_dir: str | pathlib.Path,
    dataset: str | None = None,
    split_seed: int = 0,
    min_interactions: int = 10,
    fia: FiaSettings | None = None,
    retraining_steps: int | None = None,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
    **settings: Any,
) -> GraphAsker | RatingAsker:
    """Somebody to ask about one's own data; trains first, unless the run's folder has the training already.

    Args:
        data_dir: a folder or file of triples or ratings (see load_triples, load_ratings); default: a dataset
            by name, or what the run's folder was trained on.
        run_dir: the run's folder.
        dataset: a dataset by name, or a name for one's own.
        split_seed: of what is held out.
        min_interactions: of ratings, see RatingSplit.
        fia, retraining_steps: of ratings, see RatingAsker.
        overwrite: drop a training that is there.
        checkpoint_seconds: how much of the training a kill may lose.
        settings: of TrainConfig or RatingTrainConfig, instead of the dataset's own.

    Raises:
        InputError: if the data or a setting cannot be used, or the folder has another training.
    """
    run_dir = pathlib.Path(run_dir)
    if data_dir is None and dataset is None:
        if overwrite or settings:
            raise InputError(f"name the data that {run_dir} is to be trained on, with data_dir or dataset.")
        return open_run(run_dir, fia=fia, retraining_steps=retraining_steps)
    if kind_of(data_dir, dataset) == GRAPH:
        triples = load_triples(dataset, data_dir, TripleSplit(seed=split_seed))
        config = TrainConfig(**(graph_settings(triples) | settings))
        train.run(triples, config, run_dir, overwrite=overwrite, reuse=True, checkpoint_seconds=checkpoint_seconds)
        return GraphAsker(train.load(run_dir))
    split = RatingSplit(seed=split_seed, min_interactions=min_interactions)
    ratings = load_ratings(dataset or own_name(data_dir), data_dir, split)
    model = settings.get("model", RatingTrainConfig.model)
    rating_config = RatingTrainConfig(**(rating_settings(ratings.name, model, ratings.num_examples) | settings))
    train_ratings.run(
        ratings, split, rating_config, run_dir, overwrite=overwrite, checkpoint_seconds=checkpoint_seconds
    )
    return RatingAsker(train_ratings.load(run_dir, ratings), retraining_steps, fia)


def open_run(
    run_dir: pathlib.Path, *, fia: FiaSettings | None = None, retraining_steps: int | None = None
) -> GraphAsker | RatingAsker:
    """Somebody to ask about a finished training.

    Args:
        run_dir: the run's folder.
        fia, retraining_steps: of ratings, see RatingAsker.

    Raises:
        InputError: if there is none, of triples or ratings.
    """
    if kind_of_run(run_dir) == GRAPH:
        return GraphAsker(train.load(run_dir))
    return RatingAsker(train_ratings.load(run_dir), retraining_steps, fia)


def kind_of_run(run_dir: pathlib.Path) -> str:
    """Whether a run's finished training is of a GRAPH or of RATINGS.

    Raises:
        InputError: if there is none, or it is of sequences.
    """
    stage = run_dir / train.STAGE
    if not (stage / RESULT).exists():
        raise InputError(f"{stage}: has no finished training: name your data with data_dir, or a dataset.")
    settings = files.read_json(stage / RUN)["settings"]
    if "loss" in settings["config"]:
        return GRAPH
    if "weight_decay" in settings["config"]:
        return RATINGS
    raise InputError(f"{stage}: a training of neither triples nor ratings; see tracin_table1 for sequences.")


def own_name(data_dir: str | pathlib.Path | None) -> str:
    """What to call ratings of one's own: as their folder or file, but never as a published dataset."""
    name = pathlib.Path(data_dir or "").resolve().stem
    return f"own-{name}" if name in RATING_DATASETS else name


def kind_of(data_dir: str | pathlib.Path | None, dataset: str | None) -> str:
    """Whether data are GRAPH or RATINGS: by the dataset's name, the names of files, or their columns.

    Raises:
        InputError: if a folder has both, or a file cannot be read.
    """
    if dataset in RATING_DATASETS:
        return RATINGS
    if dataset in PRESETS or data_dir is None:
        return GRAPH
    path = pathlib.Path(data_dir)
    if path.is_file():
        return RATINGS if path.suffix == ".rating" or _has_rating_columns(path) else GRAPH
    of_ratings = next(path.glob("*.rating"), None) or table_named(path, "ratings")
    of_triples = table_named(path, "train")
    if of_ratings and of_triples:
        both = f"{of_ratings.name} and {of_triples.name}"
        raise InputError(f"{path}: has {both}, ratings and triples: name the file that you mean.")
    return RATINGS if of_ratings else GRAPH


def _has_rating_columns(path: pathlib.Path) -> bool:
    """Whether a table looks like ratings: it names a user or an item, or a rating."""
    return bool(places_of(column_names(path), RATING_COLUMNS[:3]))


def graph_settings(triples: TripleSet) -> dict[str, Any]:
    """What differs from TrainConfig's defaults for a graph: a dataset's own, or by size."""
    published = published_name(triples.checksums)
    if published is not None:
        return PRESETS[published]
    num_entities = len(triples.entities)
    return {
        "dim": 10 if num_entities < 50 else 50,
        "num_negatives": max(1, min(num_entities - 1, 50)),
        "epochs": max(1, min(_OWN_EPOCHS, _OWN_STEPS // triples.num_examples)),
        "dtype": "float64" if triples.num_examples < 20_000 else "float32",
    }


def rating_settings(name: str, model: str, num_ratings: int) -> dict[str, Any]:
    """What differs from RatingTrainConfig's defaults for ratings: a dataset's own, or by size."""
    preset = rating_preset(name, model)
    return preset if name in RATING_DATASETS else preset | {"batch_size": max(1, num_ratings // _OWN_BATCHES)}
