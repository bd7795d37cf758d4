"""What every explainer of the registry has in common."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.methods import METHODS, methods_of
from gr_tf.attribution.saved import load_explanation, save_explanation
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig

KINDS = ("triples", "ratings", "sequences")
NAMES = [(kind, name) for kind in KINDS for name in (*methods_of(kind), "ensemble")]
# What methods need of a small model that their defaults do not give it.
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {("triples", "influence"): {"damping": 1.0}}


@dataclasses.dataclass(frozen=True)
class Models:
    """A trained model of each kind; of ratings, also one that was trained one by one, for the methods that need it."""

    of_kind: dict[str, Trained]
    one_by_one: Trained
    others: dict[str, list[Trained]]

    def make(self, kind: str, name: str) -> Explainer[Any]:
        if name == "ensemble":
            first = next(iter(methods_of(kind).values()))
            return Ensemble([first.make(trained) for trained in self.others[kind]])
        trained = self.one_by_one if (kind, name) == ("ratings", "gr") else self.of_kind[kind]
        return METHODS[kind][name].make(trained, **SETTINGS.get((kind, name), {}))


@pytest.fixture(scope="module")
def models(toy: TripleSet, toy_ratings: RatingSet, toy_sequences: SequenceSet) -> Models:
    of_ratings = RatingConfig(dim=2, steps=400, batch_size=40, learning_rate=0.01, dtype="float64")
    tasks: dict[str, Task[Any]] = {
        "triples": TripleTask(
            toy, TripleConfig(dim=3, num_negatives=5, epochs=4, learning_rate=0.05, loss="sigmoid", seed=0)
        ),
        "ratings": RatingTask(toy_ratings, of_ratings),
        "sequences": SequenceTask(
            toy_sequences, SequenceConfig(dim=3, hidden=4, epochs=2, batch_size=16, kept_epochs=(1, 2))
        ),
    }
    trained = {kind: train_in_memory(task) for kind, task in tasks.items()}
    one_by_one = RatingTask(toy_ratings, dataclasses.replace(of_ratings, batch_size=1, steps=8_000))
    others = {kind: [train_in_memory(task.member(i)) for i in (1, 2)] for kind, task in tasks.items()}
    return Models(trained, train_in_memory(one_by_one), others)


Maker = tuple[str, Callable[[], tuple[Explainer[Any], Any]]]


@pytest.fixture(scope="module", params=NAMES, ids=" of ".join)
def maker(request: pytest.FixtureRequest, models: Models) -> Maker:
    """The method's name, and what makes its explainer anew, with the dataset."""
    kind, name = request.param
    return f"{name} of {kind}", lambda: (models.make(kind, name), models.of_kind[kind].task.dataset)


def test_shapes_order_and_ids(maker: Maker) -> None:
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


def test_determinism(maker: Maker) -> None:
    """Two explainers, asked in another order, say the same to the bit."""
    (first, _), (second, _) = maker[1](), maker[1]()
    queries = [first.query_of(example_id) for example_id in (3, 9)]
    one, other = [first.rank(query) for query in queries], [second.rank(query) for query in reversed(queries)]
    for a, b in zip(one, reversed(other), strict=True):
        np.testing.assert_array_equal(a.example_ids, b.example_ids)
        np.testing.assert_array_equal(a.influences, b.influences)


def test_top_k(maker: Maker) -> None:
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


def test_self_influence(maker: Maker) -> None:
    """The influence on its own prediction; of TracIn, on its own loss."""
    name, make = maker
    explainer, dataset = make()
    ids = np.array([8, 0, 21])
    got = explainer.self_influence(ids)
    assert got.shape == (3,)
    if "tracin" in name or isinstance(dataset, SequenceSet):
        assert (got > 0).all()
        return
    for example_id, value in zip(ids, got, strict=True):
        explanation = explainer.rank(explainer.query_of(int(example_id)))
        assert value == pytest.approx(explanation.influences[explanation.example_ids == example_id][0], abs=1e-12)


def test_sign(maker: Maker) -> None:
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


def test_saving_and_loading(maker: Maker, tmp_path: pathlib.Path, models: Models) -> None:
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
    other = models.of_kind["ratings" if isinstance(dataset, TripleSet) else "triples"].task.dataset
    with pytest.raises(InputError, match="explains a model of other data than"):
        load_explanation(tmp_path / "saved", other)
    (tmp_path / "saved" / "influences.npy").write_bytes(b"")
    with pytest.raises(InputError, match="truncated or edited"):
        load_explanation(tmp_path / "saved", dataset)


def test_an_empty_neighbourhood(models: Models, monkeypatch: pytest.MonkeyPatch, toy: TripleSet) -> None:
    """Nothing to name is an answer, with the prediction."""
    monkeypatch.setattr(TripleSet, "related", lambda self, query: np.zeros(0, np.int64))
    for name in ("gr", "nh"):
        explanation = models.make("triples", name).rank(Query(0, 1, 2))
        assert len(explanation.example_ids) == 0
        assert 0 < explanation.prediction < 1
        assert len(explanation.frame) == 0
    without_tail = dataclasses.replace(toy, train=toy.train[toy.train[:, 2] != 2])
    trained = models.of_kind["triples"]
    criage = METHODS["triples"]["criage"].make(
        dataclasses.replace(trained, task=trained.task.with_dataset(without_tail))
    )
    assert len(criage.rank(Query(0, 1, 2)).example_ids) == 0


def test_ratings_without_neighbourhood(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RatingSet, "of_user", lambda self, user: np.zeros(0, np.int64))
    monkeypatch.setattr(RatingSet, "of_item", lambda self, item: np.zeros(0, np.int64))
    query = models.of_kind["ratings"].task.query_of(0)
    with pytest.raises(InputError, match="have no training rating: nothing explains"):
        models.make("ratings", "fia").rank(query)
    assert len(models.make("ratings", "nh").rank(query).example_ids) == 0
