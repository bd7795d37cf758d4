"""Answers: the prediction, what speaks for and against it, and whether that is true."""

import dataclasses

import numpy as np
import pytest

from gr_tf.asking.answer import ANY, parse_question
from gr_tf.asking.check import FAILED, HELD, UNCERTAIN, Check, check_frame, conclusion
from gr_tf.asking.graph import GraphAsker
from gr_tf.asking.ratings import RatingAsker
from gr_tf.attribution.connections import connections
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.models.prediction import tail_probability
from gr_tf.training.trainer import Trainer


def test_questions() -> None:
    assert parse_question(" poland, ngoorgs3 ,?", ("head", "relation", "tail")) == ("poland", "ngoorgs3", "?")
    assert parse_question('u1,"Good, the Bad, The"', ("user", "item")) == ("u1", "Good, the Bad, The")
    for text in ("", "a,b", "a,b,c,d", "a,,c"):
        with pytest.raises(InputError, match="a question is head,relation,tail, with quotes around a part"):
            parse_question(text, ("head", "relation", "tail"))


def test_an_open_tail(asker: GraphAsker) -> None:
    triples, trained = asker.triples, asker.trained
    answer = asker.answer("e1,r1,?", k=3)
    query: Query = answer.explanation.query
    scores = trained.trainer.model.score_all_tails(trained.table, np.array([query.head]), np.array([query.relation]))
    known = {
        int(tail)
        for part in (triples.train, triples.valid)
        for head, relation, tail in part
        if (head, relation) == (query.head, query.relation)
    }
    order = [int(tail) for tail in np.argsort(-np.asarray(scores)[0], kind="stable") if tail not in known]
    assert [alternative.name for alternative in answer.alternatives] == [triples.entities.names[i] for i in order[:5]]
    assert query.tail == order[0]
    assert answer.asked == ("e1", "r1", ANY)
    assert answer.predicted == triples.entities.names[order[0]]
    assert answer.value == pytest.approx(answer.alternatives[0].probability, rel=1e-5)
    assert answer.value == pytest.approx(tail_probability(trained.trainer.model, trained.table, query))


def test_for_and_against(asker: GraphAsker) -> None:
    answer = asker.answer("e1,r1,e2", k=3)
    assert answer.asked == ("e1", "r1", "e2")
    assert not answer.alternatives
    explanation = answer.explanation
    assert answer.proponents.example_id.tolist() == explanation.example_ids[:3].tolist()
    assert answer.opponents.example_id.tolist() == explanation.example_ids[::-1][:3].tolist()
    assert (answer.proponents.influence > 0).all()
    assert (answer.opponents.influence < 0).all()
    told = answer.to_dict()
    assert told["probability"] == answer.value
    assert [row["example_id"] for row in told["opponents"]] == answer.opponents.example_id.tolist()


def test_several_trainings(asker: GraphAsker) -> None:
    """Each of other initial values and negatives; what they disagree on is said not to be certain."""
    alone, several = (asker.answer("e1,r1,e2", k=30, trainings=count) for count in (1, 4))
    assert several.value == alone.value
    assert "sign" not in alone.examples
    config, epoch = asker.trained.trainer.config, asker.trained.epoch
    found = []
    for seed in range(4):
        trainer = Trainer(asker.triples, dataclasses.replace(config, seed=seed, negatives_seed=seed))
        store = RollbackStore(asker.triples.num_examples, trainer.model.width, config.dtype)
        table = trainer.run(epochs=epoch, store=store).table
        explanation = GradientRollback(trainer.model, table, store.to_numpy(), asker.triples).rank(Query(1, 1, 2))
        found.append(explanation.influences[np.argsort(explanation.example_ids)])
    frame = several.examples.sort_values("example_id")
    np.testing.assert_allclose(frame.influence, np.mean(found, axis=0), rtol=1e-9, atol=1e-15)
    errors = np.std(found, axis=0, ddof=1) / 2
    np.testing.assert_allclose(frame["standard error"], errors, rtol=1e-9, atol=1e-15)
    # No sign that a single t-test leaves open (3 degrees of freedom) is called certain.
    clear = np.abs(np.mean(found, axis=0)) > 3.182446305284263 * errors
    certain = (frame["sign"] == "certain").to_numpy()
    assert not (certain & ~clear).any()
    assert not certain.all()
    assert several.to_dict()["trainings"] == several.trainings == 4
    # Checked on trainings that were not explained.
    (check, *_) = asker.check(several, seeds=2)
    for seed, before in zip((4, 5), check.before, strict=True):
        trainer = Trainer(asker.triples, dataclasses.replace(config, seed=seed, negatives_seed=seed))
        table = trainer.run(epochs=epoch).table
        assert before == tail_probability(trainer.model, table, Query(1, 1, 2))
    assert bool(several.warnings) == (several.examples["sign"].iloc[0] == "not certain")
    with pytest.raises(InputError, match="trainings must be at least 1; got 0"):
        asker.answer("e1,r1,e2", trainings=0)


def test_methods(asker: GraphAsker, rating_asker: RatingAsker) -> None:
    for method in asker.methods:
        if method != "criage":
            assert asker.answer("e1,r1,e2", method).method == method
    for method in rating_asker.methods:
        assert rating_asker.answer("u1,i2", method).method == method
    with pytest.raises(
        InputError,
        match="criage, nh for this data; got 'fia'",
    ):
        asker.answer("e1,r1,e2", "fia")
    with pytest.raises(InputError, match="method must be one of fia, tracin, nh for this data; got 'gr'"):
        rating_asker.answer("u1,i2", "gr")
    with pytest.raises(InputError, match="criage explains models trained with --loss=sigmoid; this one's loss is soft"):
        asker.answer("e1,r1,e2", "criage")
    with pytest.raises(InputError, match="k must be at least 1; got 0"):
        asker.answer("e1,r1,e2", k=0)
    with pytest.raises(InputError, match="unknown relation 'r9'"):
        asker.answer("e1,r9,?")


def test_connections(asker: GraphAsker) -> None:
    triples = asker.triples
    query = Query(*(int(part) for part in triples.train[0]))
    head, tail = (triples.entities.names[i] for i in (query.head, query.tail))
    told = dict(zip(map(tuple, triples.train.tolist()), connections(query, triples, np.arange(60)), strict=True))
    assert told[query.head, query.relation, query.tail] == "same head and relation and tail"
    for (first, relation, last), text in told.items():
        assert ("same" in text) == (first == query.head or relation == query.relation or last == query.tail)
        assert (f"{head} as its tail" in text) == (last == query.head)
        assert (f"{tail} as its head" in text) == (first == query.tail)
        shares = {first, last} & {query.head, query.tail} or relation == query.relation
        assert (text == "none") == (not shares)


def test_rolling_back_together(asker: GraphAsker) -> None:
    explainer = asker.trained.explainer()
    explanation = explainer.rank(Query(1, 1, 2))
    for place in (0, 5, -1):
        one = explanation.example_ids[[place]]
        got = explainer.rolled_back_together(explanation.query, one)
        assert got == pytest.approx(explanation.rolled_back[place])
    whole = asker.trained.table.copy()
    few = explanation.example_ids[:4]
    for i in few:
        for row, delta in zip(
            asker.trained.trainer.model.rows_of(asker.triples.train[[i]])[0], asker.trained.deltas[i], strict=True
        ):
            whole[row] -= delta
    want = tail_probability(asker.trained.trainer.model, whole, explanation.query)
    assert explainer.rolled_back_together(explanation.query, few) == pytest.approx(want)


def test_a_check_is_by_retraining(asker: GraphAsker) -> None:
    answer = asker.answer("e1,r1,?", k=4)
    query: Query = answer.explanation.query
    first, all_of_them = asker.check(answer, seeds=2, jobs=2)
    assert first.example_ids == tuple(answer.explanation.example_ids[:1])
    assert all_of_them.example_ids == tuple(answer.explanation.example_ids[:4])
    assert first.predicted == pytest.approx(-answer.explanation.influences[0])
    for seed in range(2):
        config = asker.trained.trainer.config
        trainer = Trainer(asker.triples, dataclasses.replace(config, seed=config.seed + seed))
        tables = [
            trainer.run(removed=removed, epochs=asker.trained.epoch).table
            for removed in ([], list(first.example_ids), list(all_of_them.example_ids))
        ]
        whole, without_first, without_all = (asker.look(table, query) for table in tables)
        assert (first.before[seed], first.after[seed]) == (whole.probability, without_first.probability)
        assert all_of_them.after[seed] == without_all.probability
        assert all_of_them.top_changed is not None
        assert all_of_them.top_changed[seed] == (whole.top != without_all.top)
    assert first.before[0] == answer.value
    with pytest.raises(InputError, match="seeds must be at least 1; got 0"):
        asker.check(answer, seeds=0)


def test_a_check_of_ratings(rating_asker: RatingAsker) -> None:
    answer = rating_asker.answer("u1,i2", k=3)
    first, all_of_them = rating_asker.check(answer, seeds=2, jobs=2)
    trained, query = rating_asker.trained, answer.explanation.query
    pair = np.array([[query.user, query.item]])
    for place, seed in enumerate((1, 2)):
        for removed, got in (
            ([], first.before[place]),
            (list(first.example_ids), first.after[place]),
            (list(all_of_them.example_ids), all_of_them.after[place]),
        ):
            state = trained.trainer.run(trained.state, 300, seed=seed, removed=removed)
            assert got == trained.trainer.model.predict_pairs(state.parameters, pair)[0]
    assert first.predicted == -answer.explanation.influences[0]
    assert all_of_them.predicted == pytest.approx(-answer.explanation.influences[:3].sum())
    assert all_of_them.top_changed is None


def check_of(before: list[float], after: list[float]) -> Check:
    return Check.of(np.arange(len(before)), -0.2, before, after, [False] * len(before))


def test_verdicts() -> None:
    assert check_of([0.5], [0.4]).verdict == HELD
    assert check_of([0.5], [0.5]).verdict == FAILED
    assert check_of([0.5, 0.5, 0.5], [0.4, 0.41, 0.39]).verdict == HELD
    assert check_of([0.5, 0.5, 0.5], [0.4, 0.7, 0.3]).verdict == UNCERTAIN
    assert check_of([0.5, 0.5, 0.5], [0.6, 0.61, 0.59]).verdict == FAILED
    assert conclusion([check_of([0.5], [0.4]), check_of([0.5], [0.6])]) == (
        "Held in this one training: without the first example the prediction fell. Another seed may differ: "
        "ask for more with verify_seeds. "
        "Did NOT hold: without the first example the prediction did not fall in the one training that was done."
    )
    # All fell, but by so different an amount that the mean may be 0.
    uncertain = check_of([0.5, 0.9], [0.4, 0.1])
    assert uncertain.verdict == UNCERTAIN
    assert conclusion([uncertain]).startswith(
        "Not certain: without the first 2 the prediction fell in 2 of 2 trainings"
    )
    assert conclusion([check_of([0.5] * 3, [0.6, 0.61, 0.59])]).startswith("Did NOT hold: without the first 3")
    frame = check_frame([check_of([0.5, 0.5, 0.5], [0.4, 0.41, 0.39])])
    assert frame.iloc[0].to_dict() == {
        "removed": "the first 3",
        "predicted change": "-0.2000",
        "measured change": "-0.1000 [-0.1248, -0.0752]",
        "top-1 changed": "0 of 3",
        "explanation": HELD,
    }


def test_nothing_supports(asker: GraphAsker) -> None:
    answer = asker.answer("e1,r1,e2")
    nothing = dataclasses.replace(answer, examples=answer.examples[answer.examples.influence < 0])
    with pytest.raises(InputError, match="no example supports the prediction: there is nothing to remove"):
        asker.check(nothing)
