"""Removing what explains predictions, all at once, from trainings that were not explained."""

import pathlib

import numpy as np
import pytest

from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.large_removal import ANY, CONTROLS, Sizes, measure, rows
from gr_tf.report.large_removal_tables import removal_frame, removal_line
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig

SIZES = Sizes(queries=3, removed=4, explained=2, seeds=2)


@pytest.fixture(scope="module")
def task(toy: TripleSet) -> TripleTask:
    return TripleTask(toy, TripleConfig(dim=4, num_negatives=5, epochs=2, learning_rate=0.05))


def test_changes_are_those_of_the_explained_prediction() -> None:
    whole = np.array([[0.5, 0.2], [0.4, 0.1]])
    half = np.stack([np.where(np.eye(2), of / 2, of * 3) for of in whole])
    same = np.stack([np.tile(of, (2, 1)) for of in whole])
    found = {row["method"]: row for row in rows(whole, {"half": half, "nh": same}, relative=True)}
    assert found["half"]["fell"] == (1, 1, 1)
    assert found["half"]["change"] == pytest.approx([np.log(0.5)] * 3)
    assert found["half"]["others"] == pytest.approx([np.log(3)] * 3)
    assert found["half"]["beyond"] == {"nh": pytest.approx([np.log(0.5)] * 3)}
    assert found["nh"]["fell"] == found["nh"]["change"] == (0, 0, 0)
    (row,) = rows(whole, {"half": half}, relative=False)
    # Seeds are averaged first: -0.225 and -0.075.
    assert row["change"] == pytest.approx((-0.15, -0.225, -0.075))


def test_the_sizes_are_checked(task: TripleTask, tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="removed must be below "):
        measure(task, tmp_path, Sizes(removed=task.num_examples))
    with pytest.raises(InputError, match="seeds must be at least 1; got 0"):
        measure(task, tmp_path, Sizes(seeds=0, removed=1))
    with pytest.raises(InputError, match=r"methods must be of nh; .*; got best"):
        measure(task, tmp_path, SIZES, names=["best"])
    with pytest.raises(InputError, match="a seed would serve twice: take another seed"):
        measure(task.seeded(19_999), tmp_path, SIZES)
    for overwrite in (True, False):
        with pytest.raises(InputError, match=r"queries must be at most \d+: .* have 4 related examples .*; got 900"):
            measure(task, tmp_path, Sizes(queries=900, removed=4), overwrite=overwrite)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["triples", "ratings", "sequences"])
def test_every_kind_is_measured(
    kind: str, task: TripleTask, toy_ratings: RatingSet, toy_sequences: SequenceSet, tmp_path: pathlib.Path
) -> None:
    tasks: dict[str, Task] = {
        "triples": task,
        "ratings": RatingTask(toy_ratings, RatingConfig(model="ncf", dim=2, steps=40, batch_size=20)),
        "sequences": SequenceTask(toy_sequences, SequenceConfig(dim=3, hidden=3, epochs=2, kept_epochs=(1, 2))),
    }
    one, method = tasks[kind], {"triples": "gr", "ratings": "fia", "sequences": "tracin"}[kind]
    found = measure(one, tmp_path, SIZES, names=[method])
    controls = CONTROLS if kind != "ratings" else CONTROLS[:1]
    assert {row["method"] for row in found["rows"]} == {method, *controls, ANY}
    assert "3 predictions" in removal_line(found)
    assert f"4 of {one.num_examples}" in removal_line(found)
    assert len(removal_frame(found)) == len(found["rows"])
    supporting = {row["method"]: row["supporting"] for row in found["rows"]}
    assert supporting[ANY] is None
    assert all(0 <= row["of_answer"] <= 1 for row in found["rows"])
    # Random numbers of related examples are above 0.
    assert supporting["nh"] == 4 >= supporting[method]
    # With two jobs, in another folder: the same; and in the same folder nothing is done again.
    parallel = measure(one, tmp_path / "two", SIZES, names=[method], jobs=2)
    assert parallel["rows"] == found["rows"]
    assert measure(one, tmp_path, SIZES, names=[method]) == found
    less = measure(one, tmp_path, SIZES, names=[])
    assert [row for row in found["rows"] if row["method"] != method] == less["rows"]
