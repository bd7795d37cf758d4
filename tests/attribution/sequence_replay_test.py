"""Replay of an LSTM's trainings, against trainings with weights."""

from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.block_replay import BlockReplay
from gr_tf.attribution.methods import check_task, explainer, method_of
from gr_tf.data.sequences import SequenceQuery, SequenceSet
from gr_tf.errors import InputError
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.training.sequence_config import SequenceConfig
from tests.attribution.rating_replay_test import measured

# The proper protocol, and what differs in the others.
PROPER: dict[str, Any] = {
    "dim": 3,
    "hidden": 4,
    "epochs": 3,
    "batch_size": 16,
    "learning_rate": 0.03,
    "l2": 1e-3,
    "train_embeddings": True,
    "shuffle": True,
    "kept_epochs": (3,),
    "dtype": "float64",
}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"train_embeddings": False, "shuffle": False},
    {"l2": 0.0, "batch_size": 1000},
]


def trained_with(sequences: SequenceSet, setting: dict[str, Any]) -> Trained:
    return train_in_memory(SequenceTask(sequences, SequenceConfig(**{**PROPER, **setting})))


def asked(sequences: SequenceSet) -> list[SequenceQuery]:
    """Questions of the test histories; one more than go back together."""
    test = sequences.test
    histories = (tuple(item for item in history if item) for history in test.histories.tolist())
    found = [SequenceQuery(*one) for one in zip(histories, test.targets.tolist(), strict=True)][:5]
    assert len(found) == 5
    return found


@pytest.mark.parametrize(
    "setting",
    [SETTINGS[0], *(pytest.param(setting, marks=pytest.mark.slow) for setting in SETTINGS[1:])],
    ids=lambda setting: "-".join(map(str, setting.values())) or "proper",
)
def test_equals_finite_differences(toy_sequences: SequenceSet, setting: dict[str, Any]) -> None:
    trained = trained_with(toy_sequences, setting)
    queries = asked(toy_sequences)[: 5 if setting else 1]
    last = trained.task.num_examples - 1
    for first_epoch in (1, 2):
        replay = BlockReplay(trained, first_epoch=first_epoch)
        for replayed, wanted in zip(replay.parameters.arrays, trained.parameters.arrays, strict=True):
            np.testing.assert_array_equal(replayed, wanted)
        found = replay.matrix(queries)
        for example_id in (0, last // 2, last):
            told = measured(trained.task, queries, example_id, first_epoch)
            np.testing.assert_allclose(found[:, example_id], told, rtol=1e-6, atol=1e-9)
            assert np.abs(told).max() > 1e-5


def test_ends_with_the_best_epoch(toy_sequences: SequenceSet) -> None:
    """Of a training that ended early, what came after its best epoch is not replayed."""
    setting = {"epochs": 40, "learning_rate": 0.1, "patience": 2, "kept_epochs": (1, 40)}
    trained = train_in_memory(SequenceTask(toy_sequences, SequenceConfig(**{**PROPER, **setting})), validating=True)
    assert trained.epoch < 38
    replay = BlockReplay(trained)
    for replayed, wanted in zip(replay.parameters.arrays, trained.parameters.arrays, strict=True):
        np.testing.assert_array_equal(replayed, wanted)
    with pytest.raises(InputError, match=f"first_epoch must be from 1 to {trained.epoch}; got 40"):
        BlockReplay(trained, first_epoch=40)


def test_is_offered(trained_sequences: Trained) -> None:
    """By name, as for other kinds; with the precision of the training."""
    check_task(method_of("sequences", "replay"), trained_sequences.task)
    found = explainer(trained_sequences, "replay").matrix(asked(trained_sequences.task.dataset)[:1])
    assert found.shape == (1, trained_sequences.task.num_examples)
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0


def test_derivatives_of_predictions(toy_sequences: SequenceSet) -> None:
    """By differences, of a number of each array: of the last item's row of the table, near the middle of the others.

    The middle itself may be of the padding's logit, which counts for nothing.
    """
    task = SequenceTask(toy_sequences, SequenceConfig(**PROPER))
    parameters, queries, size = task.initial_parameters, asked(toy_sequences)[:2], 1e-6
    told = task.value_gradients(parameters, queries)
    table = queries[0].history[-1] * parameters.table.shape[1]
    places = [table, *(array.size // 2 + 1 for array in parameters.shared)]
    for place, of_array, array in zip(places, told, parameters.arrays, strict=True):
        values = []
        for change in (size, -size):
            array.ravel()[place] += change
            values.append(task.value(parameters, queries))
            array.ravel()[place] -= change
        assert of_array.shape == (2, *array.shape)
        wanted = (values[0] - values[1]) / (2 * size)
        np.testing.assert_allclose(of_array.numpy().reshape(2, -1)[:, place], wanted, rtol=1e-5, atol=1e-9)
        assert np.abs(wanted).max() > 1e-6
