"""The store on disk holds what the one in memory holds."""

import errno
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.tasks import stage
from gr_tf.tasks.triples import TripleTask
from gr_tf.training import disk_store
from gr_tf.training.disk_store import DiskStore, store_of
from gr_tf.training.rollback_store import RollbackStore
from gr_tf.training.triple_config import TripleConfig

SIZES = (5, 2, "float32", 3)


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Callable[[], RollbackStore]:
    """Makes a store."""
    return lambda: RollbackStore(*SIZES) if request.param == "memory" else DiskStore(*SIZES, tmp_path / "changes")


def slices(ids: list[int], start: float) -> tf.IndexedSlices:
    values = start + np.arange(len(ids) * 6, dtype=np.float32).reshape(len(ids), 3, 2)
    return tf.IndexedSlices(tf.constant(values), tf.constant(ids))


def test_changes_add_up(make: Callable[[], RollbackStore]) -> None:
    store = make()
    store.add(slices([3, 1], 0))
    store.add(slices([1, 1, 0], 0.5))
    wanted = np.zeros((5, 3, 2), np.float32)
    for ids, start in (([3, 1], 0), ([1, 1, 0], 0.5)):
        np.add.at(wanted, ids, slices(ids, start).values.numpy())
    np.testing.assert_array_equal(store.to_numpy(), wanted)
    with pytest.raises(InputError, match=r"for examples of 3 rows of 2 numbers; got \[3, 1\]"):
        store.add(tf.IndexedSlices(tf.zeros([1, 3, 1]), tf.constant([0])))
    with pytest.raises(TrainingError, match="the change made by example 4 is not finite"):
        store.add(slices([4], np.nan))
    store.clear()
    assert not store.to_numpy().any()


def test_what_was_kept_comes_back(make: Callable[[], RollbackStore]) -> None:
    store = make()
    store.take_kept()
    store.add(slices([3, 1], 0))
    best = store.to_numpy()
    store.keep()
    store.add(slices([3, 2], 1))
    present = store.to_numpy()
    arrays = {name: np.array(array) for name, array in store.to_arrays().items()}
    store.take_kept()
    np.testing.assert_array_equal(store.to_numpy(), best)
    # Nothing is kept any more.
    store.add(slices([0], 2))
    other = store.to_numpy()
    store.take_kept()
    np.testing.assert_array_equal(store.to_numpy(), other)
    store.restore(arrays)
    np.testing.assert_array_equal(store.to_numpy(), present)
    store.take_kept()
    np.testing.assert_array_equal(store.to_numpy(), best)
    store.restore({"deltas": present})
    store.take_kept()
    np.testing.assert_array_equal(store.to_numpy(), present)
    store.close()


def test_a_full_disk_is_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InputError, match=r"changes\.npy: cannot be written whole \(.*\): No space left"):
        DiskStore(*SIZES, tmp_path / "changes")


def test_only_large_stores_are_on_disk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(store_of(*SIZES, tmp_path / "changes")) is RollbackStore
    monkeypatch.setattr(disk_store, "MOST_IN_MEMORY", 100)
    assert type(store_of(*SIZES)) is RollbackStore
    store = store_of(*SIZES, tmp_path / "changes")
    assert type(store) is DiskStore
    store.close()
    assert not list(tmp_path.iterdir())


def test_a_training_is_the_same_to_the_bit(
    toy: TripleSet, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TripleTask(toy, TripleConfig(dim=4, num_negatives=4, epochs=5, batch_size=8, patience=1, learning_rate=0.3))
    stage.train(task, tmp_path / "memory")
    monkeypatch.setattr(disk_store, "MOST_IN_MEMORY", 100)
    made: list[RollbackStore] = []

    def noted(*sizes: Any) -> RollbackStore:
        made.append(store_of(*sizes))
        return made[-1]

    monkeypatch.setattr(stage, "store_of", noted)
    stage.train(task, tmp_path / "disk")
    assert [type(store) for store in made] == [DiskStore]
    memory, disk = (stage.load(tmp_path / name) for name in ("memory", "disk"))
    assert memory.fingerprint == disk.fingerprint
    assert memory.deltas is not None
    assert memory.deltas.any()
    assert not (tmp_path / "disk" / "train" / "changes").exists()


def test_a_checkpoint_has_what_is_on_disk(toy: TripleSet, tmp_path: pathlib.Path) -> None:
    task = TripleTask(toy, TripleConfig(dim=4, num_negatives=4, epochs=3, batch_size=8))
    sizes = (task.num_examples, task.model.width, task.config.dtype, 3)
    whole = RollbackStore(*sizes)
    task.train(store=whole)

    class KilledError(Exception):
        pass

    blocks = 0

    def kill(*_: object) -> None:
        nonlocal blocks
        blocks += 1
        if blocks == 2:
            raise KilledError

    def train(on_block: Callable[..., None]) -> DiskStore:
        store = DiskStore(*sizes, tmp_path / "changes")
        task.train(store=store, checkpoints=CheckpointFolder(tmp_path / "checkpoints", 0.0), on_block=on_block)
        return store

    with pytest.raises(KilledError):
        train(kill)
    assert list((tmp_path / "checkpoints").iterdir())
    np.testing.assert_array_equal(train(lambda *_: None).to_numpy(), whole.to_numpy())
