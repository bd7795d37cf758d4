"""What every explainer has in common."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.complete_rollback import CompleteRollback
from gr_tf.attribution.criage import Criage
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.example_losses import Checkpoint
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.influence_analysis import InfluenceAnalysis
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.rating_neighborhood import RatingNeighborhood
from gr_tf.attribution.rating_rollback import RatingRollback
from gr_tf.attribution.replay import Replay
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.attribution.saved import load_explanation, save_explanation
from gr_tf.attribution.tracin_explainers import RatingTracIn, SequenceTracIn, TripleTracIn
from gr_tf.attribution.triple_gradients import GradientSimilarity, TripleGradients, TripleInfluence
from gr_tf.data.adjacency import AdjacencyIndex
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.training.config import TrainConfig
from gr_tf.training.rating_config import RatingTrainConfig
from gr_tf.training.rating_trainer import RatingTrainer
from gr_tf.training.sequence_config import SequenceTrainConfig
from gr_tf.training.sequence_trainer import SequenceTrainer
from gr_tf.training.single_rating_trainer import SingleRatingTrainer
from gr_tf.training.trainer import Trainer

Made = tuple[Explainer[Any, Any], Any]


@dataclasses.dataclass(frozen=True)
class Models:
    """Makes an explainer of each method, and the dataset; anew each time."""

    makers: dict[str, Callable[[], Made]]


@pytest.fixture(scope="module")
def models(toy: TripleSet, toy_ratings: RatingSet, toy_sequences: SequenceSet) -> Models:
    config = TrainConfig(dim=3, num_negatives=5, epochs=4, learning_rate=0.05, loss="sigmoid")
    trainer = Trainer(toy, config)
    store = RollbackStore(toy.num_examples, trainer.model.width, "float64")
    table = trainer.run(store=store).table
    deltas = store.to_numpy()
    of_ratings = RatingTrainConfig(dim=2, steps=400, batch_size=40, learning_rate=0.01, dtype="float64")
    rating_trainer = RatingTrainer(toy_ratings, of_ratings)
    model = rating_trainer.model
    parameters = rating_trainer.run(rating_trainer.initial_state(), 400, seed=0).parameters
    decay = of_ratings.weight_decay
    one_by_one = SingleRatingTrainer(toy_ratings, dataclasses.replace(of_ratings, batch_size=1, steps=8_000))
    of_rows = RollbackStore(toy_ratings.num_examples, model.width, "float64", rows=2)
    after_all = one_by_one.run(store=of_rows)
    of_sequences = SequenceTrainConfig(dim=3, hidden=4, epochs=2, batch_size=16, kept_epochs=(1, 2))
    sequence_trainer = SequenceTrainer(toy_sequences, of_sequences)
    kept = [Checkpoint.of(part, 0.01) for part in sequence_trainer.run().kept.values()]
    others = [Trainer(toy, dataclasses.replace(config, seed=seed)) for seed in (1, 2)]
    gradients = TripleGradients(trainer.model, table, toy, config)
    return Models(
        {
            "gr": lambda: (GradientRollback(trainer.model, table, deltas, toy), toy),
            "nh": lambda: (Neighborhood(trainer.model, table, toy, seed=4), toy),
            "criage": lambda: (Criage(trainer.model, table, toy), toy),
            "tracin of triples": lambda: (
                TripleTracIn(trainer.model, [Checkpoint.of(table, 0.05)], toy, config),
                toy,
            ),
            "replay": lambda: (Replay(trainer), toy),
            "complete rollback": lambda: (CompleteRollback(trainer), toy),
            "gradient cosine": lambda: (GradientSimilarity(gradients, "cosine"), toy),
            "influence": lambda: (TripleInfluence(gradients, damping=1.0), toy),
            "ensemble": lambda: (Ensemble([CompleteRollback(member) for member in others]), toy),
            "fia": lambda: (Fia(model, parameters, toy_ratings, decay), toy_ratings),
            "ensemble of fia": lambda: (
                Ensemble([Fia(model, part, toy_ratings, decay) for part in (parameters, after_all)]),
                toy_ratings,
            ),
            "ia": lambda: (InfluenceAnalysis(model, parameters, toy_ratings, decay, damping=0.1), toy_ratings),
            "gr of ratings": lambda: (
                RatingRollback(model, after_all, of_rows.to_numpy(), toy_ratings),
                toy_ratings,
            ),
            "ensemble of sequences": lambda: (
                Ensemble([SequenceTracIn(sequence_trainer.model, kept[i:], toy_sequences) for i in (0, 1)]),
                toy_sequences,
            ),
            "nh of ratings": lambda: (RatingNeighborhood(model, parameters, toy_ratings), toy_ratings),
            "tracin of ratings": lambda: (
                RatingTracIn(model, [Checkpoint.of(parameters, 0.01)], toy_ratings),
                toy_ratings,
            ),
            "tracin of sequences": lambda: (
                SequenceTracIn(sequence_trainer.model, kept, toy_sequences),
                toy_sequences,
            ),
        }
    )


METHODS = (
    "gr",
    "nh",
    "criage",
    "tracin of triples",
    "replay",
    "complete rollback",
    "gradient cosine",
    "influence",
    "ensemble",
    "fia",
    "ensemble of fia",
    "ia",
    "gr of ratings",
    "nh of ratings",
    "tracin of ratings",
    "tracin of sequences",
    "ensemble of sequences",
)


@pytest.fixture(scope="module", params=METHODS)
def maker(request: pytest.FixtureRequest, models: Models) -> tuple[str, Callable[[], Made]]:
    return request.param, models.makers[request.param]


def test_shapes_order_and_ids(maker: tuple[str, Callable[[], Made]]) -> None:
    explainer, dataset = maker[1]()
    for example_id in (0, 7, 33):
        explanation = explainer.rank(explainer.query_of(example_id))
        assert explanation.query == dataset.query_of(example_id)
        ids, influences = explanation.example_ids, explanation.influences
        assert ids.shape == influences.shape == (len(ids),)
        assert np.issubdtype(ids.dtype, np.integer)
        assert influences.dtype == np.float64
        assert len(np.unique(ids)) == len(ids)
        assert ids.min() >= 0
        assert ids.max() < dataset.num_examples
        assert np.isfinite(influences).all()
        assert (np.diff(influences) <= 0).all()
        # Equals by example id.
        ties = np.diff(influences) == 0
        assert (np.diff(ids)[ties] > 0).all()
        assert example_id in ids
        assert len(explanation.frame) == len(ids)
        assert explanation.frame.example_id.tolist() == ids.tolist()
        assert explanation.frame.influence.tolist() == influences.tolist()


def test_determinism(maker: tuple[str, Callable[[], Made]]) -> None:
    """Two explainers, asked in another order, say the same to the bit."""
    (first, _), (second, _) = maker[1](), maker[1]()
    queries = [first.query_of(example_id) for example_id in (3, 9)]
    one, other = [first.rank(query) for query in queries], [second.rank(query) for query in reversed(queries)]
    for a, b in zip(one, reversed(other), strict=True):
        np.testing.assert_array_equal(a.example_ids, b.example_ids)
        np.testing.assert_array_equal(a.influences, b.influences)


def test_top_k(maker: tuple[str, Callable[[], Made]]) -> None:
    explainer, _ = maker[1]()
    query = explainer.query_of(5)
    whole = explainer.rank(query)
    for k in (1, 3, 10_000):
        top = explainer.explain(query, k)
        np.testing.assert_array_equal(top.example_ids, whole.example_ids[:k])
        np.testing.assert_array_equal(top.influences, whole.influences[:k])
    supporting = explainer.explain(query, None)
    assert len(supporting.influences) == whole.num_supporting == int((whole.influences >= 0).sum())
    with pytest.raises(InputError, match="k must be at least 1; got 0"):
        explainer.explain(query, 0)


def test_self_influence(maker: tuple[str, Callable[[], Made]]) -> None:
    """The influence on its own prediction; of TracIn, on its own loss."""
    name, make = maker
    explainer, _ = make()
    ids = np.array([8, 0, 21])
    got = explainer.self_influence(ids)
    assert got.shape == (3,)
    if "tracin" in name:
        assert (got > 0).all()
        return
    for example_id, value in zip(ids, got, strict=True):
        explanation = explainer.rank(explainer.query_of(int(example_id)))
        assert value == pytest.approx(explanation.influences[explanation.example_ids == example_id][0], abs=1e-12)


def test_sign(maker: tuple[str, Callable[[], Made]]) -> None:
    """Triples and sequences support their own prediction; a rating pulls it to where it stands."""
    name, make = maker
    explainer, dataset = make()
    if name.startswith("nh"):
        return
    ids = np.arange(0, 60, 3)
    if isinstance(dataset, RatingSet):
        agree = []
        for example_id in ids:
            explanation = explainer.rank(explainer.query_of(int(example_id)))
            own = explanation.influences[explanation.example_ids == example_id][0]
            error = dataset.train.values[example_id] - explanation.prediction
            agree.append(np.sign(own) == np.sign(error) or abs(error) < 0.1)
        # Gradient Rollback sums what the errors were during the training.
        assert np.mean(agree) > 0.8 if name == "gr of ratings" else all(agree)
    else:
        # Replay's derivative is wild at Adam's first steps.
        assert (explainer.self_influence(ids) > 0).mean() > (0.8 if name == "replay" else 0.9)


def test_saving_and_loading(maker: tuple[str, Callable[[], Made]], tmp_path: pathlib.Path, models: Models) -> None:
    explainer, dataset = maker[1]()
    explanation = explainer.explain(explainer.query_of(4), 6)
    save_explanation(explanation, tmp_path / "saved")
    again = load_explanation(tmp_path / "saved", dataset)
    assert type(again) is type(explanation)
    for field in dataclasses.fields(explanation):
        before, after = getattr(explanation, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            assert before.dtype == after.dtype
            np.testing.assert_array_equal(before, after)
        else:
            assert before is after or before == after
    _, other = models.makers["fia" if isinstance(dataset, TripleSet) else "gr"]()
    with pytest.raises(InputError, match="explains a model of other data than"):
        load_explanation(tmp_path / "saved", other)
    (tmp_path / "saved" / "influences.npy").write_bytes(b"")
    with pytest.raises(InputError, match="truncated or edited"):
        load_explanation(tmp_path / "saved", dataset)


def test_an_empty_neighbourhood(models: Models, monkeypatch: pytest.MonkeyPatch, toy: TripleSet) -> None:
    """Nothing to name is an answer, with the prediction."""
    monkeypatch.setattr(AdjacencyIndex, "adjacent", lambda self, query: np.zeros(0, np.int64))
    for name in ("gr", "nh"):
        explanation = models.makers[name]()[0].rank(Query(0, 1, 2))
        assert len(explanation.example_ids) == 0
        assert 0 < explanation.probability < 1
        assert len(explanation.frame) == 0
    without_tail = dataclasses.replace(toy, train=toy.train[toy.train[:, 2] != 2])
    criage, _ = models.makers["criage"]()
    assert isinstance(criage, Criage)
    monkeypatch.setattr(criage, "_triples", without_tail)
    assert len(criage.rank(Query(0, 1, 2)).example_ids) == 0


def test_ratings_without_neighbourhood(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RatingSet, "of_user", lambda self, user: np.zeros(0, np.int64))
    monkeypatch.setattr(RatingSet, "of_item", lambda self, item: np.zeros(0, np.int64))
    fia, dataset = models.makers["fia"]()
    with pytest.raises(InputError, match="have no training rating: nothing explains"):
        fia.rank(dataset.query_of(0))
    nobody, _ = models.makers["nh of ratings"]()
    assert len(nobody.rank(dataset.query_of(0)).example_ids) == 0
