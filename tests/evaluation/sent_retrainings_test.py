"""Retrainings that are sent to other processes: the same bits as in threads, for every kind of data.

The other process is this one, so that no worker has to start; engines_test has real ones.
"""

import dataclasses
import pathlib
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from gr_tf.data import negatives
from gr_tf.data.choices import ChoiceSet
from gr_tf.data.frames import IN_MEMORY
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingQuery, RatingSplit
from gr_tf.data.sources import load_triples
from gr_tf.errors import InputError
from gr_tf.evaluation import common_beginning, sent_retrainings
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Outcome, Retraining
from gr_tf.runs.made_with import decisive
from gr_tf.runs.pools import chosen
from gr_tf.runs.pools.pool import Pool
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.given import open_given
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training import triple_steps
from gr_tf.training.triple_config import TripleConfig
from tests.tasks.keras_models import pair_model, save, write_ratings


@dataclasses.dataclass
class Shared:
    pickled: bytes


class Here(Pool):
    """Calls in this process, with arguments that have been through pickle, and arrays that cannot be written to."""

    name = "here"
    num_shared = 0

    def share(self, value: Any) -> Any:
        self.num_shared += 1
        return Shared(pickle.dumps(value, protocol=5))

    def _start(self, jobs: int | None) -> int:
        return jobs or 1

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        sent = pickle.loads(pickle.dumps(arguments))
        return pickle.loads(pickle.dumps(function(*(self._value(one) for one in sent))))

    def _value(self, one: Any) -> Any:
        if not isinstance(one, Shared):
            assert len(pickle.dumps(one)) < 10_000
            return one
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(pickle.loads(one.pickled), protocol=5, buffer_callback=buffers.append)
        return pickle.loads(pickled, buffers=[memoryview(bytes(buffer.raw())) for buffer in buffers])

    def _close(self) -> None:
        pass


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Here:
    """The engine of what is asked below `on_pool`."""
    monkeypatch.setattr(sent_retrainings, "_REMEMBERED", sent_retrainings._Remembered())
    return Here()


def both(
    pool: Here, asked: Sequence[Retraining], known: Sequence[Any], **how: Any
) -> tuple[dict[int, Outcome], dict[int, Outcome]]:
    """The outcomes in threads, and by the pool."""
    here = dict(retrain(asked, 2, known=known))
    before = chosen._chosen.set(pool)
    try:
        return here, dict(retrain(asked, 2, known=known, **how))
    finally:
        chosen._chosen.reset(before)
        pool.close()


def asked_of(trained: Trained, measure: str = "value") -> list[Retraining]:
    queries = [told.query for told in trained.task.test_predictions(trained.parameters)[:2]]
    return [Retraining.of(trained, removed, measure, queries, length=2) for removed in ((), (5,), (3, 8), range(40))]


def test_triples(pool: Here, trained: Trained) -> None:
    for measure in ("answers", "exact value"):
        here, there = both(pool, asked_of(trained, measure), [trained])
        assert here == there


def test_ratings_that_go_on_from_a_state(pool: Here, trained_ratings: Trained) -> None:
    asked = [dataclasses.replace(one, length=90) for one in asked_of(trained_ratings)]
    assert asked[0].start
    here, there = both(pool, asked, [trained_ratings])
    assert here == there
    assert pool.num_shared == 2  # The data, and the state.


@pytest.mark.slow
def test_sequences(pool: Here, trained_sequences: Trained) -> None:
    here, there = both(pool, asked_of(trained_sequences, "quality"), [trained_sequences])
    assert here == there


@pytest.mark.slow
def test_choices(pool: Here, toy_choices: ChoiceSet) -> None:
    config = TripleConfig(dim=4, num_negatives=5, epochs=2, optimizer="adagrad", batch_size=16)
    trained = train_in_memory(ChoiceTask(toy_choices, config))
    here, there = both(pool, asked_of(trained), [trained])
    assert here == there


def test_data_in_memory_and_given_initial_values(pool: Here, trained: Trained) -> None:
    """What no reference could be read from: a frame's triples, and a start of one's own."""
    triples = load_triples(trained.task.dataset.train_frame)
    assert triples.source == IN_MEMORY
    config = dataclasses.replace(trained.task.config, seed=3)
    drawn = TripleTask(triples, config).initial_parameters
    given = TripleTask(triples, trained.task.config, drawn)
    seeded = given.seeded(5)
    asked = [
        Retraining(task=task.reference, removed=(4,), length=2, seed=0, measure="value", queries=(task.query_of(4),))
        for task in (given, seeded, TripleTask(triples, config))
    ]
    here, there = both(pool, asked, [given, seeded, TripleTask(triples, config)])
    assert here == there
    assert len({outcome.measured[0] for outcome in here.values()}) == 2  # The first two have one start.
    assert pool.num_shared == 2


def test_the_common_beginning_where_it_pays(pool: Here, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many removals late in the first epoch: each worker records the beginning once."""
    for module in (negatives, triple_steps):
        monkeypatch.setattr(module, "BLOCK_SIZE", 10)
    task = TripleTask(trained.task.dataset, TripleConfig(dim=4, num_negatives=3, epochs=1))
    last = np.arange(task.num_examples)[-20:]
    like: dict[str, Any] = {"length": 1, "seed": 0, "measure": "value", "queries": (task.query_of(0),)}
    asked = [Retraining(task=task.reference, removed=(i,), **like) for i in last.tolist()]
    recorded, plain = [], common_beginning.recorded

    def counted(task: Any, length: int, every: int) -> Any:
        recorded.append(every)
        return plain(task, length, every)

    monkeypatch.setattr(common_beginning, "recorded", counted)
    here, there = both(pool, asked, [task])
    assert here == there
    in_threads, by_worker = recorded
    assert in_threads == by_worker == 1


def test_blocks_are_counted_once(pool: Here, trained: Trained) -> None:
    asked, seen = asked_of(trained), list[int]()
    both(pool, asked, [trained], on_found=seen.append, on_block=lambda: seen.append(1))
    assert sum(seen) == len(asked) * len(trained.task.steps.blocks(2))


def test_checkpoints_of_unfinished_work_are_found(pool: Here, trained: Trained, tmp_path: pathlib.Path) -> None:
    asked = asked_of(trained)
    here, there = both(pool, asked, [trained], folder=tmp_path, checkpoint_seconds=0.0)
    assert here == there
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(one.key for one in asked)
    pool.is_here = False  # Other machines do not see the folder.
    elsewhere = tmp_path / "elsewhere"
    assert both(pool, asked, [trained], folder=elsewhere, checkpoint_seconds=0.0)[1] == here
    assert not elsewhere.exists()


def test_a_worker_forgets_the_tasks_that_it_did_not_need_for_long(pool: Here, trained: Trained) -> None:
    tasks = [trained.task.seeded(seed) for seed in range(2 * sent_retrainings._TASKS_KEPT)]
    like: dict[str, Any] = {
        "removed": (),
        "length": 1,
        "seed": 0,
        "measure": "value",
        "queries": (tasks[0].query_of(1),),
    }
    asked = [Retraining(task=task.reference, **like) for task in tasks]
    here, there = both(pool, asked, tasks)
    assert here == there
    assert len(sent_retrainings._REMEMBERED._tasks) == sent_retrainings._TASKS_KEPT


def test_what_cannot_be_sent_is_refused(
    pool: Here, trained: Trained, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratings = load_ratings(data_dir=write_ratings(tmp_path), split=RatingSplit(min_interactions=1))
    names = {"users": ratings.users.names[::-1], "items": ["new", *ratings.items.names]}
    save(tmp_path / "model", pair_model(), **names)
    given = open_given("ratings", ratings, tmp_path / "model", {"model_loss": "mse"}, {"learning_rate": 0.5})
    with pytest.raises(InputError, match="its retrainings are for engine='threads'"):
        both(pool, [Retraining.of(given, (), "value", [RatingQuery(0, 0)], length=1)], [given])
    asked = asked_of(trained)[:1]
    with pytest.raises(InputError, match="example ids are 0 to 59; got 99"):
        both(pool, [dataclasses.replace(asked[0], removed=(99,))], [trained])
    with pytest.raises(InputError, match="goes on from is not in memory"):
        both(pool, [dataclasses.replace(asked[0], start="abc")], [trained])


def test_workers_with_other_software_are_refused(pool: Here, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ours = asked_of(trained)[:1], decisive()
    told = iter([ours, {**ours, "numpy": "1.0"}, ours, {**ours, "numpy": "1.0"}])
    monkeypatch.setattr(sent_retrainings, "decisive", lambda: next(told))
    with pytest.raises(InputError, match=r"a worker of engine='here' has other software .* \(numpy .*, not 1\.0\)"):
        both(pool, asked, [trained])
    monkeypatch.setattr(RunDir, "any_version", True)
    here, there = both(pool, asked, [trained])
    assert here == there
