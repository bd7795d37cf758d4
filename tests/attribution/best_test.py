"""The best answer is the blend of what its short trainings' replays say."""

import numpy as np
import pytest
from scipy.stats import norm

from gr_tf.asking.asker import Asker
from gr_tf.attribution import best, methods
from gr_tf.attribution.best import Best
from gr_tf.attribution.block_replay import cost_of
from gr_tf.attribution.replay import Replay
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


@pytest.fixture(scope="module")
def whole(toy: TripleSet) -> Trained:
    return train_in_memory(TripleTask(toy, TripleConfig(dim=3, epochs=10, num_negatives=4, dtype="float64", seed=5)))


@pytest.fixture(scope="module")
def found(whole: Trained) -> Best:
    return Best(whole, trainings=3, num_queries=6)


def test_a_blend_of_replays_of_shorter_and_wider_trainings(whole: Trained, found: Best) -> None:
    query = whole.task.query_of(8)
    replayed = []
    for number in range(3):
        config = {"dim": 6, "epochs": 3, "seed": 10_005 + number, "negatives_seed": 10_000 + number}
        trained = train_in_memory(whole.task.with_config(**config))
        replayed.append(Replay(trained).matrix([query])[0])
    spread = np.std(replayed, axis=1, keepdims=True)
    mean = ((replayed - np.mean(replayed, axis=1, keepdims=True)) / spread).mean(axis=0)
    features = whole.task.dataset.likeness(query)
    blend = found._learnt.blend
    prior = (features - features.mean(axis=0)) @ blend.coefficients
    (influences,) = found.influences([query])
    np.testing.assert_allclose(
        influences.values, 1.35 * (blend.own * mean + blend.prior * prior) * spread.mean(), rtol=1e-4
    )
    assert influences.num_trainings == 3
    assert influences.standard_errors is not None
    assert (influences.standard_errors > 0).all()
    chances = norm.cdf(np.abs(influences.values) / influences.standard_errors)
    np.testing.assert_allclose(np.asarray(influences.sign_chances), chances)
    assert 0 < blend.own <= 1
    assert influences.prediction == whole.task.value(whole.parameters, [query])[0]


def test_nothing_is_left_to_chance(whole: Trained, found: Best) -> None:
    queries = [whole.task.query_of(8), whole.task.query_of(9)]
    again = methods.explainer(whole, "best", trainings=3, num_queries=6).matrix(queries)
    np.testing.assert_array_equal(again, found.matrix(queries))
    # One at a time or together.
    np.testing.assert_allclose(found.matrix(queries[:1])[0], again[0], rtol=1e-5)


@pytest.mark.slow
def test_progress_tells_which_training_is_gone_back_over(toy: TripleSet, capsys: pytest.CaptureFixture[str]) -> None:
    config = TripleConfig(dim=3, epochs=7, batch_size=12, optimizer="sgd", learning_rate=0.5, num_negatives=4)
    trained = train_in_memory(TripleTask(toy, config), tracking=False)
    made = Best(trained, trainings=2, num_queries=3)
    made.influences([trained.task.query_of(8)])
    told = capsys.readouterr().err
    assert "short training 2 of 2: training again" in told
    parts = [
        f"short training {number} of 2, {asked}: going back"
        for asked in ("3 questions", "1 question")
        for number in (1, 2)
    ]
    places = [told.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize("batch_size", [1, 12], ids=["single steps", "batches"])
def test_the_cost_is_that_of_all_questions_in_all_trainings(toy: TripleSet, batch_size: int) -> None:
    task = TripleTask(toy, TripleConfig(dim=3, epochs=20, batch_size=batch_size, num_negatives=4))
    short, method = best.shorter(task), methods.method_of("triples", "best")
    assert method.cost is not None
    one, more, told = cost_of(short), cost_of(short, best.QUERIES + 1), method.cost(task)
    assert one.seconds is not None
    assert more.seconds is not None
    assert told.seconds is not None
    # That of the trainings themselves is less than that of the questions.
    assert best.TRAININGS * more.seconds < told.seconds < 2 * best.TRAININGS * more.seconds
    assert more.seconds > one.seconds
    assert more.memory >= one.memory
    assert told.limited == one.limited == (batch_size == 1)


def test_price(whole: Trained) -> None:
    assert best.price(whole.task) == pytest.approx(0.3 * 2)
    assert best.shorter(whole.task.with_config(epochs=1)).config.epochs == 1
    assert best.shorter(whole.task.with_config(epochs=4)).config.epochs == 2


def test_settings_that_make_no_sense(whole: Trained) -> None:
    with pytest.raises(InputError, match="trainings must be positive; got 0"):
        Best(whole, trainings=0)


def test_trainings_that_cannot_be_replayed_are_refused(toy: TripleSet) -> None:
    trained = train_in_memory(TripleTask(toy, TripleConfig(dim=3, epochs=2, num_negatives=4, constraint="unit_norm")))
    with pytest.raises(InputError, match="no constraint"):
        methods.explainer(trained, "best")


def test_what_averages_is_not_averaged_again(whole: Trained) -> None:
    query = whole.task.names_of(whole.task.query_of(8))
    with pytest.raises(InputError, match="method='best' averages over trainings of its own: leave out trainings"):
        Asker(whole).answer(",".join(query), "best", trainings=2)


def test_two_trainings_do_not_say_how_sure_they_are(whole: Trained) -> None:
    (influences,) = Best(whole, trainings=2, num_queries=4).influences([whole.task.query_of(8)])
    assert influences.standard_errors is None
    assert influences.sign_chances is None


def test_an_answer_says_how_sure_it_is(whole: Trained) -> None:
    query = ",".join(whole.task.names_of(whole.task.query_of(8)))
    frame = Asker(whole).answer(query, "best", k=2).frame
    assert list(frame)[:4] == ["influence", "95% interval", "sign is right", "same sign in"]
    assert frame["sign is right"].str.fullmatch(r"[5-9]\d in 100").all()
    assert frame["95% interval"].str.startswith("+-").all()
