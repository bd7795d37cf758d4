"""Settings of influence functions that do not suit a graph or its training are refused before anything is computed."""

import re
from typing import Any

import pytest

from gr_tf.attribution import triple_influence
from gr_tf.attribution.influence_settings import InfluenceSettings
from gr_tf.attribution.methods import Method, asked_with, check_task, method_of
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


def task_of(toy: TripleSet, **settings: Any) -> TripleTask:
    return TripleTask(toy, TripleConfig(dim=3, num_negatives=4, epochs=2, **settings))


def influence_with(**settings: Any) -> Method:
    return asked_with(method_of("triples", "influence"), InfluenceSettings(**settings))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"block": "row"}, r"--influence_block must be one of all, query; got 'row'"),
        ({"curvature": "fisher"}, r"--curvature must be one of auto, hessian, gauss_newton; got 'fisher'"),
        ({"damping": -1.0}, r"--influence_damping must be a number of at least 0; got -1.0"),
        ({"damping": float("nan")}, r"--influence_damping must be a number of at least 0; got nan"),
        ({"tolerance": 0.0}, r"--cg_tolerance must be above 0 and at most 1; got 0.0"),
        ({"max_iterations": 0}, r"--cg_max_iterations must be from 1 to \d+; got 0"),
    ],
)
def test_what_is_out_of_range(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        InfluenceSettings(**settings)
    assert re.match(told, caught.value.on_command_line)


def test_what_does_not_suit_the_training(toy: TripleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one, in_batches = task_of(toy), task_of(toy, batch_size=5)
    for task in (one_by_one, in_batches):
        check_task(influence_with(block="query", damping=0.5, curvature="hessian"), task)
        for flag, settings in (
            ("--cg_tolerance", {"tolerance": 0.1}),
            ("--cg_max_iterations", {"max_iterations": 7}),
        ):
            with pytest.raises(InputError) as caught:
                check_task(influence_with(**settings), task)
            assert caught.value.on_command_line == (
                f"{flag} is of conjugate gradients, and the Hessian of this graph is small enough to be made: leave it "
                "out, or use --curvature=gauss_newton."
            )
    check_task(influence_with(curvature="gauss_newton", tolerance=0.1, max_iterations=7), in_batches)
    with pytest.raises(InputError) as caught:
        check_task(influence_with(curvature="gauss_newton"), one_by_one)
    assert caught.value.on_command_line == (
        "--curvature=gauss_newton needs a training in batches (--batch_size above 1, or --optimizer=adagrad): use "
        "--curvature=hessian."
    )
    # As if these graphs were large.
    monkeypatch.setattr(triple_influence, "_MOST_BYTES", 0)
    check_task(influence_with(tolerance=0.1, max_iterations=7), in_batches)
    for curvature in ("auto", "hessian"):
        with pytest.raises(InputError) as caught:
            check_task(influence_with(curvature=curvature), one_by_one)
        assert caught.value.on_command_line == (
            f"influence functions of a graph of this size ({toy.num_examples:,} triples, "
            f"{one_by_one.model.num_rows:,} rows of 3) need a training in batches (--batch_size above 1, or "
            "--optimizer=adagrad): use --method=gr."
        )


def test_no_settings_are_asked() -> None:
    method = method_of("triples", "influence")
    assert asked_with(method, None) is method
