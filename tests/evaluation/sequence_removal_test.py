"""Training without some sequences: what is chosen, pairing, resuming."""

import pathlib
from collections.abc import Callable

import numpy as np
import pytest

from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError
from gr_tf.evaluation.intervals import mean_interval
from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.sequence_removal import Retrained, choices, retrain_without
from gr_tf.training.sequence_config import SequenceTrainConfig
from gr_tf.training.sequence_trainer import SequenceTrainer

CONFIG = SequenceTrainConfig(dim=3, hidden=4, epochs=3, batch_size=16, learning_rate=0.01, kept_epochs=())


def test_choices() -> None:
    influences = np.array([0.5, -2.0, 0.0, -1.0, 3.0, 0.1])
    losses = np.array([1.0, 2.0, 9.0, 3.0, 8.0, 0.0])
    chosen = choices(influences, losses, [2, 3], 0)
    assert set(chosen) == {(name, k) for name in ("opponents", "random", "highest loss") for k in (2, 3)}
    assert chosen["opponents", 2].tolist() == [1, 3]
    assert chosen["opponents", 3].tolist() == [1, 2, 3]
    assert chosen["highest loss", 2].tolist() == [2, 4]
    assert len(set(chosen["random", 3])) == 3
    # The smaller choice is a part of the larger one, and the seed decides.
    assert set(chosen["random", 2]) < set(chosen["random", 3])
    drawn = {tuple(choices(influences, losses, [3], seed)["random", 3]) for seed in range(20)}
    assert len(drawn) > 5
    for k in (0, 6):
        with pytest.raises(InputError, match=f"k must be from 1 to 5, below the number of training sequences; got {k}"):
            choices(influences, losses, [k], 0)


def test_trainings_are_paired_and_found_again(toy_sequences: SequenceSet, tmp_path: pathlib.Path) -> None:
    trainer = SequenceTrainer(toy_sequences, CONFIG)
    removals = {("opponents", 2): np.array([0, 7]), ("random", 3): np.array([1, 2, 5])}
    journal = Journal(tmp_path / "one.jsonl")
    first = {record.removed: record for record in retrain_without(trainer, removals, journal, 2)}
    for removed, ids in (("opponents", [0, 7]), ("random", [1, 2, 5])):
        trained = trainer.run(removed=ids)
        metrics = trainer.accuracy(trained.parameters, toy_sequences.test)
        assert metrics is not None
        assert first[removed].test == metrics
        assert first[removed].epoch == CONFIG.epochs
    assert first["opponents"].test != first["random"].test
    journal.close()
    again = Journal(tmp_path / "one.jsonl")
    assert list(retrain_without(trainer, removals, again, 1)) == []
    more = {**removals, ("random", 1): np.array([1])}
    assert [record.k for record in retrain_without(trainer, more, again, 1)] == [1]
    again.close()
    with pytest.raises(InputError, match="jobs must be at least 1; got 0"):
        list(retrain_without(trainer, removals, Journal(tmp_path / "two.jsonl"), 0))


def test_a_killed_training_goes_on(toy_sequences: SequenceSet, tmp_path: pathlib.Path) -> None:
    trainer = SequenceTrainer(toy_sequences, CONFIG)
    removals = {("highest loss", 2): np.array([0, 7])}
    (straight,) = retrain_without(trainer, removals, Journal(tmp_path / "straight.jsonl"), 1)
    found: list[int] = []
    done: list[int] = []

    def killed_in_the_last_epoch() -> None:
        done.append(1)
        if len(done) == CONFIG.epochs - 1:
            raise KeyboardInterrupt

    journal, folder = Journal(tmp_path / "killed.jsonl"), tmp_path / "checkpoints"

    def retrain(on_epoch: Callable[[], object]) -> list[Retrained]:
        return list(
            retrain_without(
                trainer,
                removals,
                journal,
                1,
                folder=folder,
                checkpoint_seconds=0,
                on_found=found.append,
                on_epoch=on_epoch,
            )
        )

    with pytest.raises(KeyboardInterrupt):
        retrain(killed_in_the_last_epoch)
    assert not journal.records
    found.clear()
    done.clear()
    assert retrain(lambda: done.append(1)) == [straight]
    # It is killed before the second epoch's checkpoint; the first's was there.
    assert sum(found) + len(done) == CONFIG.epochs
    assert sum(found) == CONFIG.epochs - 2
    assert not folder.exists()


def test_mean_interval() -> None:
    """Of 3 values: the mean, and 4.30 standard errors to either side."""
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    assert mean == 2
    assert low == pytest.approx(2 - 4.302653 / 3**0.5)
    assert high == pytest.approx(2 + 4.302653 / 3**0.5)
    assert mean_interval([4.0]) == (4.0, None, None)
    # 95% of the intervals hold the true mean.
    generator = np.random.default_rng(0)
    held = [low < 0 < high for _, low, high in (mean_interval(generator.normal(size=4).tolist()) for _ in range(2000))]  # type: ignore[operator]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
    with pytest.raises(ValueError, match="want at least one value"):
        mean_interval([])
