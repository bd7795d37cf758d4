"""How good a model is, beside a prediction that needs no model."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.quality import Quality
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import HEAD, RELATION, Query, TripleSet
from gr_tf.tasks import stage
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.trained import Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig


def test_the_most_frequent_tails(toy: TripleSet) -> None:
    task = TripleTask(toy, TripleConfig())
    reciprocal = []
    for head, relation, gold in toy.test.tolist():
        counts = {tail: (toy.train[:, 1:] == [relation, tail]).all(axis=1).sum() for tail in range(len(toy.entities))}
        known = {t for h, r, t in np.concatenate([toy.train, toy.valid]).tolist() if (h, r) == (head, relation)}
        others = [counts[tail] for tail in counts if tail not in known and tail != gold]
        better, equal = (sum(compare) for compare in zip(*((c > counts[gold], c == counts[gold]) for c in others)))  # noqa: B905
        reciprocal.append(1 / (1 + better + equal / 2))
    assert task.baselines()["test"]["mrr"] == pytest.approx(np.mean(reciprocal), rel=1e-12)


def test_entities_that_cannot_be_predicted_do_not_compete(toy: TripleSet) -> None:
    candidates = tuple(sorted({int(tail) for tail in toy.test[:, 2]}))
    few = TripleTask(dataclasses.replace(toy, candidates=candidates), TripleConfig())
    assert few.baselines()["test"]["mrr"] >= TripleTask(toy, TripleConfig()).baselines()["test"]["mrr"]


def test_means_of_ratings(toy_ratings: RatingSet) -> None:
    train, test = toy_ratings.train, toy_ratings.test
    mean, errors = train.values.mean(dtype=np.float64), []
    for pair, value in zip(test.pairs, test.values, strict=True):
        means = []
        for side in (0, 1):
            own = train.values[train.pairs[:, side] == pair[side]]
            means.append(own.mean(dtype=np.float64) if len(own) else mean)
        errors.append(sum(means) - mean - value)
    told = RatingTask(toy_ratings, RatingConfig()).baselines()["test"]
    assert told["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-6)
    assert told["mae"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-6)


def test_the_most_frequent_items(toy_sequences: SequenceSet) -> None:
    counts = np.array([1 + (toy_sequences.train.targets == item + 1).sum() for item in range(len(toy_sequences.items))])
    targets = toy_sequences.test.targets - 1
    ranks = [1 + (counts > counts[t]).sum() + ((counts == counts[t]).sum() - 1) / 2 for t in targets]
    told = SequenceTask(toy_sequences, SequenceConfig()).baselines()["test"]
    assert told["mrr"] == pytest.approx(np.mean(1 / np.array(ranks)), rel=1e-12)
    assert told["cross_entropy"] == pytest.approx(-np.log(counts[targets] / counts.sum()).mean(), rel=1e-12)


def quality(ours: float, trivial: float, deciding: str = "mrr") -> Quality:
    model: dict[str, Any] = {"valid": {deciding: ours}, "test": None}
    return Quality(model, {"valid": {deciding: trivial}, "test": None}, "guessing", deciding)


def test_the_verdict() -> None:
    assert quality(0.5, 0.4).warning is None
    assert quality(0.91, 0.95, "rmse").warning is None
    assert quality(0.45, 0.4).warning == (
        "do not trust an explanation of this model: its MRR of 0.450 is hardly better than its baseline's "
        "0.400 (guessing)"
    )
    assert "its MRR of 0.300 is not better than its baseline's 0.400" in str(quality(0.3, 0.4).warning)
    assert "its RMSE of 0.940 is hardly better than its baseline's 0.950" in str(quality(0.94, 0.95, "rmse").warning)
    assert "its RMSE of 1.200 is not better" in str(quality(1.2, 0.95, "rmse").warning)
    # What is not a number is not better.
    assert quality(float("nan"), 0.4).warning is not None
    nothing = dataclasses.replace(quality(1, 1), model={"test": None}, baseline={"test": None})
    assert nothing.warning == "nothing was held out: nobody knows whether this model is any good"
    assert dataclasses.replace(nothing, model={"train": {"loss": 1.0}}, baseline={}, baseline_name="").warning is None


@pytest.mark.parametrize("name", ["asker", "rating_asker", "sequence_asker"])
def test_every_kind(request: pytest.FixtureRequest, name: str) -> None:
    asker: Asker = request.getfixturevalue(name)
    told = asker.quality
    assert told.model == asker.task.quality(asker.trained.parameters)
    assert set(told.frame().prediction) == {"model", asker.task.baseline_name}
    assert json.loads(json.dumps(told.to_dict()))["warning"] == told.warning


def test_it_is_what_the_training_wrote(trained: Trained, tmp_path: Any) -> None:
    stage.train(trained.task, tmp_path)
    loaded = stage.load(tmp_path, trained.task.dataset)
    ours, trivial = stage.quality_of(loaded)
    assert ours == trained.task.quality(loaded.parameters)
    assert trivial == trained.task.baselines()


@pytest.mark.parametrize("place", [HEAD, RELATION])
def test_quality_at_heads_and_relations(asker: Asker, place: int) -> None:
    """Ranks of the gold answers among those that train and valid do not know, one by one."""
    task, triples, parameters = asker.task, asker.task.dataset, asker.trained.parameters
    known = set(map(tuple, np.concatenate([triples.train, triples.valid]).tolist()))
    ours: list[float] = []
    trivial: list[float] = []
    for triple in triples.test.tolist():
        query = Query(*map(int, (*triple, place)))
        everyone = [task.with_answer(query, i) for i in range(4 if place == RELATION else 9)]
        competing = [query, *(one for one in everyone if one.triple not in known and one != query)]
        same = [triples.train == one.triple for one in competing]
        counts = np.array([(one[:, 1] if place == RELATION else one[:, :2].all(axis=1)).sum() for one in same])
        for found, values in ((ours, task.value(parameters, competing)), (trivial, counts)):
            better, equal = (values > values[0]).sum(), (values == values[0]).sum() - 1
            found.append(1 / (1 + better + equal / 2))
    told = asker.quality_at(query)
    assert (told.model["test"] or {})["mrr"] == pytest.approx(np.mean(ours), rel=1e-9)
    assert (told.baseline["test"] or {})["mrr"] == pytest.approx(np.mean(trivial), rel=1e-9)
    assert asker.quality_at(query) is told
    what = {HEAD: "heads", RELATION: "relations"}[place]
    assert told.question == f"Is the model any good at predicting {what}?"
    assert told.to_dict()["asked"] == what
    assert told.warning is None or f"its MRR of {what} of" in told.warning


def test_quality_at_tails_is_the_usual(asker: Asker) -> None:
    assert asker.quality_at(Query(0, 1, 2)) is asker.quality
    assert asker.quality.question == "Is the model any good?"
    assert "asked" not in asker.quality.to_dict()
