"""What every method of the registry has in common, of every kind of data that it serves."""

import dataclasses
import importlib
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from gr_tf import attribution
from gr_tf.attribution import methods
from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.combined import Combination, combining
from gr_tf.attribution.criage import Criage
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.methods import METHODS, explainer, method_of, methods_of, register
from gr_tf.attribution.saved import load_explanation, save_explanation
from gr_tf.data.choices import ChoiceSet
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.keras import Examples, KerasTask
from gr_tf.tasks.kinds import served_as
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Tensor

KINDS = ("triples", "ratings", "sequences", "keras", "choices")
ENTRIES = [(kind, name) for kind in KINDS for name in methods_of(kind)]
# Ensembles of a few: of a method that considers the related examples, and of one that considers all.
ENSEMBLES = [("triples", "gr"), ("triples", "tracin"), ("ratings", "fia"), ("sequences", "tracin"), ("keras", "fia")]
NAMES = [*ENTRIES, *((kind, f"ensemble of {name}") for kind, name in ENSEMBLES)]
# What methods need of a small model that their defaults do not give it.
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {("triples", "influence"): {"damping": 1.0}}
SETTINGS["choices", "influence"] = SETTINGS["triples", "influence"]
# Many queries at once are computed in another order than one by one; of all others they are equal to the bit.
ROUNDED = {
    "fia of ratings",
    "ensemble of fia of ratings",
    "replay of triples",
    "replay of ratings",
    "replay of choices",
    "replay of sequences",
    "rollback-all of triples",
}


@dataclasses.dataclass(frozen=True)
class Models:
    """Trained models that suit the methods.

    Attributes:
        of_kind: one of each kind.
        special: trained otherwise, for the methods of a kind that need it.
        others: two more of each kind, with other seeds.
    """

    of_kind: dict[str, Trained]
    special: dict[tuple[str, str], Trained]
    others: dict[str, list[Trained]]

    def make(self, kind: str, name: str) -> Explainer[Any]:
        if name.startswith("ensemble of "):
            return Ensemble([explainer(trained, name.removeprefix("ensemble of ")) for trained in self.others[kind]])
        return explainer(self.of(kind, name), name, **SETTINGS.get((kind, name), {}))

    def of(self, kind: str, name: str) -> Trained:
        return self.special.get((kind, name), self.of_kind[kind])


def of_keras(ratings: RatingSet) -> tuple[Trained, list[Trained]]:
    """A matrix factorization in Keras, and two that differ from it."""
    keras.utils.set_random_seed(0)
    user, item = (keras.Input([], dtype="int32", name=name) for name in ("user", "item"))
    users, items = (
        keras.layers.Embedding(len(names), 3)(ids) for names, ids in ((ratings.users, user), (ratings.items, item))
    )
    product = keras.layers.Dot(axes=1)([users, items])
    model = keras.Model({"user": user, "item": item}, keras.layers.Dense(1)(product))
    pairs = ratings.train.pairs
    train = Examples({"user": pairs[:, 0], "item": pairs[:, 1]}, ratings.train.values.astype(np.float32).reshape(-1, 1))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(train.inputs, train.targets, epochs=30, verbose=0)

    def squared_error(targets: Tensor, outputs: Tensor) -> Tensor:
        return keras.ops.square(targets - outputs)[:, 0]

    task = KerasTask(model, train, squared_error)
    generator = np.random.default_rng(0)
    weights = task.initial_parameters.shared
    moved = [[array + 0.01 * generator.normal(size=array.shape) for array in weights] for _ in range(2)]
    others = [task.checked([array.astype(np.float32) for array in arrays]) for arrays in moved]
    return Trained(task, task.initial_parameters, epoch=0), [Trained(task, one, epoch=0) for one in others]


@pytest.fixture(scope="module")
def models(toy: TripleSet, toy_ratings: RatingSet, toy_sequences: SequenceSet, toy_choices: ChoiceSet) -> Models:
    of_ratings = RatingConfig(dim=2, steps=400, batch_size=40, learning_rate=0.01, dtype="float64")
    tasks: dict[str, Task[Any]] = {
        # CRIAGE needs the sigmoid loss.
        "triples": TripleTask(
            toy, TripleConfig(dim=3, num_negatives=5, epochs=4, learning_rate=0.05, loss="sigmoid", seed=0)
        ),
        "ratings": RatingTask(toy_ratings, of_ratings),
        "choices": ChoiceTask(
            toy_choices,
            TripleConfig(
                dim=2,
                num_negatives=5,
                epochs=20,
                optimizer="adagrad",
                learning_rate=0.3,
                batch_size=16,
                loss="sigmoid",
            ),
        ),
        "sequences": SequenceTask(
            toy_sequences, SequenceConfig(dim=3, hidden=4, epochs=2, batch_size=16, kept_epochs=(1, 2))
        ),
    }
    trained = {kind: train_in_memory(task) for kind, task in tasks.items()}
    one_by_one = RatingTask(toy_ratings, dataclasses.replace(of_ratings, batch_size=1, steps=8_000))
    with_shares = RatingTask(
        toy_ratings, dataclasses.replace(of_ratings, optimizer="sgd", epochs=80, initial_deviation=0.3)
    )
    special = {
        ("ratings", "gr"): train_in_memory(one_by_one),
        ("ratings", "replay"): train_in_memory(with_shares),
        ("sequences", "replay"): train_in_memory(tasks["sequences"].with_config(dtype="float64")),
    }
    others = {kind: [train_in_memory(task.member(i)) for i in (1, 2)] for kind, task in tasks.items()}
    trained["keras"], others["keras"] = of_keras(toy_ratings)
    return Models(trained, special, others)


@dataclasses.dataclass(frozen=True)
class Case:
    """A method, or an ensemble of one, of a kind.

    Attributes:
        name: "METHOD of KIND".
        explainer: one.
        make: makes another one, of the same models.
        dataset: of the kind.
    """

    name: str
    explainer: Explainer[Any]
    make: Callable[[], Explainer[Any]]
    dataset: Any


# These take long, and have tests of their own.
SLOW = (
    *((kind, "replay") for kind in ("triples", "choices", "ratings", "sequences")),
    ("triples", "best"),
    ("ratings", "ia"),
    ("keras", "ensemble of fia"),
    ("keras", "fia"),
    ("sequences", "ensemble of tracin"),
)
CASES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NAMES]


@pytest.fixture(scope="module", params=CASES, ids=lambda entry: f"{entry[1]} of {entry[0]}")
def case(request: pytest.FixtureRequest, models: Models) -> Case:
    kind, name = request.param

    def make() -> Explainer[Any]:
        return models.make(kind, name)

    return Case(f"{name} of {kind}", make(), make, models.of_kind[kind].task.dataset)


def contents(query: Any) -> Any:
    """A query as something that can be compared."""
    return query.checksum if isinstance(query, Examples) else query


def test_shapes_order_and_ids(case: Case) -> None:
    explainer, dataset = case.explainer, case.dataset
    for example_id in (0, 7, 33):
        explanation = explainer.rank(explainer.query_of(example_id))
        assert contents(explanation.query) == contents(dataset.query_of(example_id))
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
        # Where a method tells the prediction without an example, the influence is the difference.
        told = np.isfinite(explanation.without)
        falls = explanation.prediction - explanation.without
        np.testing.assert_allclose(influences[told], falls[told], rtol=1e-6, atol=1e-9)
        # Removing one example changes what its influence says.
        change = explainer.change_without(explanation, ids[:1])
        assert change == pytest.approx(-influences[0], rel=1e-6, abs=1e-9)
        assert explainer.change_without(explanation, ids[:0]) == 0


def test_determinism(case: Case) -> None:
    """Two explainers, asked in another order, say the same to the bit."""
    first, second = case.explainer, case.make()
    queries = [first.query_of(example_id) for example_id in (3, 9)]
    one, other = [first.rank(query) for query in queries], [second.rank(query) for query in reversed(queries)]
    for a, b in zip(one, reversed(other), strict=True):
        np.testing.assert_array_equal(a.example_ids, b.example_ids)
        np.testing.assert_array_equal(a.influences, b.influences)


def test_many_queries_are_each_query(case: Case) -> None:
    name, explainer, dataset = case.name, case.explainer, case.dataset
    queries = [explainer.query_of(example_id) for example_id in (0, 33, 0)]
    assert explainer.influences([]) == []
    found_together, matrix = explainer.influences(queries), explainer.matrix(queries)
    assert matrix.shape == (len(queries), dataset.num_examples)
    for query, found, row in zip(queries[:2], found_together, matrix, strict=False):
        (alone,) = explainer.influences([query])
        assert (np.diff(found.example_ids) > 0).all()
        np.testing.assert_array_equal(found.example_ids, alone.example_ids)
        np.testing.assert_array_equal(row[found.example_ids], found.values)
        assert not np.delete(row, found.example_ids).any()
        if name in ROUNDED:
            np.testing.assert_allclose(found.values, alone.values, rtol=0, atol=1e-12)
            assert found.prediction == pytest.approx(alone.prediction, abs=1e-12)
        else:
            np.testing.assert_array_equal(found.values, alone.values)
            assert found.prediction == alone.prediction


def test_a_combination_is_a_weighted_sum(case: Case) -> None:
    """Of influences, predictions, and estimates."""
    explainer = case.explainer
    queries, weights = [explainer.query_of(example_id) for example_id in (0, 33)], np.array([1.0, -0.5])
    each, explanation = explainer.influences(queries), combining(explainer).rank(Combination((*queries,), (*weights,)))
    expected = np.zeros(case.dataset.num_examples)
    for weight, one in zip(weights, each, strict=True):
        expected[one.example_ids] += weight * one.values
    ids = np.unique(np.concatenate([one.example_ids for one in each]))
    np.testing.assert_array_equal(np.sort(explanation.example_ids), ids)
    np.testing.assert_allclose(explanation.influences, expected[explanation.example_ids], rtol=1e-6, atol=1e-12)
    assert explanation.prediction == pytest.approx(weights @ [one.prediction for one in each], abs=1e-12)
    told = np.isfinite(explanation.without)
    assert told.all() == all(one.without is not None and np.isfinite(one.without).all() for one in each)
    falls = explanation.prediction - explanation.without
    np.testing.assert_allclose(explanation.influences[told], falls[told], rtol=1e-6, atol=1e-7)
    for removed in (explanation.example_ids[:1], explanation.example_ids[-1:]):
        (own,) = explanation.influences[explanation.example_ids == removed[0]]
        change = combining(explainer).change_without(explanation, removed)
        assert change == pytest.approx(-own, rel=1e-5, abs=1e-8)


def test_top_k(case: Case) -> None:
    explainer = case.explainer
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


def test_self_influence(case: Case) -> None:
    """The influence on its own prediction; of TracIn, on its own loss."""
    name, explainer = case.name, case.explainer
    ids = np.array([8, 0, 21])
    got = explainer.self_influence(ids)
    assert got.shape == (3,)
    if name.startswith("tracin"):
        assert (got > 0).all()
        return
    for example_id, value in zip(ids, got, strict=True):
        explanation = explainer.rank(explainer.query_of(int(example_id)))
        own = explanation.influences[explanation.example_ids == example_id][0]
        # A float32 model's values differ a little when many are computed at once.
        assert value == pytest.approx(own, abs=1e-6 if name.endswith("keras") else 1e-12)


def test_sign(case: Case) -> None:
    """An example supports its own prediction; where that is a number, it pulls it to its target."""
    name, explainer, dataset = case.name, case.explainer, case.dataset
    if name.startswith("nh"):
        return
    ids = np.arange(0, 60, 10 if name.endswith("fia of keras") else 3)
    if isinstance(dataset, RatingSet) or name.endswith("fia of keras"):
        targets = dataset.train.values if isinstance(dataset, RatingSet) else dataset.targets[:, 0]
        agree = []
        for example_id in ids:
            explanation = explainer.rank(explainer.query_of(int(example_id)))
            own = explanation.influences[explanation.example_ids == example_id][0]
            error = targets[example_id] - explanation.prediction
            agree.append(np.sign(own) == np.sign(error) or abs(error) < 0.1)
        # Gradient Rollback sums what the errors were during the training.
        assert np.mean(agree) > 0.8 if name == "gr of ratings" else all(agree)
    else:
        # Replay's derivative is wild at Adam's first steps.
        assert (explainer.self_influence(ids) > 0).mean() > (0.8 if name == "replay of triples" else 0.9)


def test_saving_and_loading(case: Case, tmp_path: pathlib.Path, models: Models) -> None:
    explainer, dataset = case.explainer, case.dataset
    explanation = explainer.explain(explainer.query_of(4), 6)
    if isinstance(dataset, Examples):
        with pytest.raises(InputError, match="an explanation of keras cannot be saved: its query is no row of numbers"):
            save_explanation(explanation, tmp_path / "saved")
        return
    save_explanation(explanation, tmp_path / "saved")
    with pytest.raises(InputError, match=r"saved: exists already. Say overwrite=True"):
        save_explanation(explanation, tmp_path / "saved")
    (tmp_path / "saved" / "thesis.tex").touch()
    with pytest.raises(InputError, match="saved: has other files than an explanation's, and is not replaced"):
        save_explanation(explanation, tmp_path / "saved", overwrite=True)
    (tmp_path / "saved" / "thesis.tex").unlink()
    save_explanation(explanation, tmp_path / "saved", overwrite=True)
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


@pytest.mark.parametrize(("kind", "name"), ENSEMBLES)
def test_standard_errors_of_ensembles(models: Models, kind: str, name: str) -> None:
    """Means over trainings, an example that one of them does not consider counting as 0."""
    members = [explainer(trained, name) for trained in models.others[kind]]
    query = members[0].query_of(11)
    (found,) = Ensemble(members).influences([query])
    each = np.concatenate([member.matrix([query]) for member in members])[:, found.example_ids]
    np.testing.assert_allclose(found.values, each.mean(axis=0), rtol=1e-12, atol=1e-15)
    assert found.standard_errors is not None
    errors = each.std(axis=0, ddof=1) / np.sqrt(2)
    np.testing.assert_allclose(found.standard_errors, errors, rtol=1e-9, atol=1e-15)
    assert found.standard_errors.max() > 0
    assert found.num_trainings == 2
    (alone,), (itself,) = Ensemble(members[:1]).influences([query]), members[0].influences([query])
    assert alone.standard_errors is None
    np.testing.assert_array_equal(alone.values, itself.values)


def test_influences_are_finite() -> None:
    ids = np.array([2, 5, 9])
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(InputError, match=r"the influence of training example 5 is not finite, nor of 1 others\."):
            Influences(ids, np.array([1.0, bad, bad]), 0.5)
        with pytest.raises(InputError, match=r"the influence of training example 9 is not finite\."):
            Influences(ids, np.array([1.0, 2.0, bad]), 0.5)


def test_an_empty_neighbourhood(models: Models, monkeypatch: pytest.MonkeyPatch, toy: TripleSet) -> None:
    """Nothing to name is an answer, with the prediction."""
    monkeypatch.setattr(TripleSet, "related", lambda self, query: np.zeros(0, np.int64))
    for name in ("gr", "gr-o", "nh"):
        explanation = models.make("triples", name).rank(Query(0, 1, 2))
        assert len(explanation.example_ids) == 0
        assert 0 < explanation.prediction < 1
        assert len(explanation.frame) == 0
    without_tail = dataclasses.replace(toy, train=toy.train[toy.train[:, 2] != 2])
    trained = models.of_kind["triples"]
    criage = Criage(trained.with_task(trained.task.with_dataset(without_tail)))
    assert len(criage.rank(Query(0, 1, 2)).example_ids) == 0


def test_ratings_without_neighbourhood(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RatingSet, "of_user", lambda self, user: np.zeros(0, np.int64))
    monkeypatch.setattr(RatingSet, "of_item", lambda self, item: np.zeros(0, np.int64))
    query = models.of_kind["ratings"].task.query_of(0)
    with pytest.raises(InputError, match="have no training rating: nothing explains"):
        models.make("ratings", "fia").rank(query)
    assert len(models.make("ratings", "nh").rank(query).example_ids) == 0


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_entries(models: Models, kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry says all that it should; what is too large is refused with the limit, the estimate and what would do."""
    trained = models.of(kind, name)
    entry, task = method_of(kind, name), trained.task
    assert entry.name == name
    assert served_as(kind) in entry.kinds
    assert set(entry.kinds) <= set(KINDS)
    assert entry.needs in ("deltas", "checkpoints", "gradients", "hessian", "steps", "trajectory", "nothing")
    assert entry.unit
    assert re.search(r"\w\)?$", entry.title)
    if entry.cost is None:
        return
    cost = entry.cost(task)
    assert np.isfinite(cost.memory)
    assert cost.memory > 0
    methods.check_size(entry, task)
    assert entry.instead != name
    # Only a method that serves the kind is advised.
    advice = rf": use method='{entry.instead}'\.$" if entry.instead in methods_of(kind) else r"\.$"
    told = rf"method '{name}' would need about \d+ MiB.* on this data \({task.num_examples} examples\); "
    monkeypatch.setattr(methods, "available_memory", lambda: cost.memory - 1)
    with pytest.raises(InputError, match=told + rf"\d+ MiB of memory are free{advice}"):
        explainer(trained, name)
    monkeypatch.undo()
    if cost.seconds is not None:
        monkeypatch.setattr(methods, "MOST_SECONDS", 0)
        if not cost.limited:
            # The user is told the time, and decides.
            methods.check_size(entry, task)
            return
        with pytest.raises(InputError, match=told + rf"the limit is 0 s{advice}"):
            explainer(trained, name)


def test_names() -> None:
    assert method_of("triples", None).name == "gr"
    assert method_of("ratings", None).name == "fia"
    assert method_of("sequences", None).name == method_of("keras", None).name == "tracin"
    with pytest.raises(InputError, match=r"method must be one of fia, .*, nh for ratings; got 'lime'\.$"):
        method_of("ratings", "lime")
    for name in (None, "gr"):
        with pytest.raises(InputError, match=r"no method serves images; the kinds of data .* sequences.*\.$"):
            method_of("images", name)
    with pytest.raises(ValueError, match="method 'gr' is registered twice for triples"):
        register("gr", kinds=("triples",), needs="nothing", unit="none", title="")(lambda trained: trained)


METHOD = """
import numpy as np
from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.methods import register


@register("latest", kinds=("triples", "sequences"), needs="nothing", unit="none", title="the latest related examples")
class Latest(Explainer):
    def __init__(self, trained):
        self.task, self._parameters = trained.task, trained.parameters

    def influences(self, queries):
        ids = [self.task.related(query) for query in queries]
        values = self.task.value(self._parameters, queries)
        return [Influences(some, some.astype(float), float(value)) for some, value in zip(ids, values)]
"""


def test_a_method_is_its_file(models: Models, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with an entry is found; nothing else is touched."""
    before = {kind: list(methods_of(kind)) for kind in KINDS}
    (tmp_path / "latest_examples.py").write_text(METHOD)
    importlib.invalidate_caches()
    monkeypatch.setattr(attribution, "__path__", [*attribution.__path__, str(tmp_path)])
    try:
        for kind, served in zip(KINDS, (True, False, True, False, True), strict=True):
            assert set(methods_of(kind)) - set(before[kind]) == ({"latest"} if served else set())
            # The default stays, and the random baseline is last.
            assert next(iter(methods_of(kind))) == before[kind][0]
        for kind in ("triples", "sequences"):
            latest = explainer(models.of_kind[kind], "latest")
            explanation = latest.explain(latest.query_of(3), 4)
            assert explanation.example_ids.tolist() == sorted(explanation.example_ids, reverse=True)
            assert len(explanation.frame) == 4
    finally:
        for entries in METHODS.values():
            entries.pop("latest", None)
        sys.modules.pop("gr_tf.attribution.latest_examples", None)
    monkeypatch.undo()
    assert {kind: list(methods_of(kind)) for kind in KINDS} == before
