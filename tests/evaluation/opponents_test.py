"""Training without some examples: what is chosen, pairing, resuming."""

import pathlib

import numpy as np
import pytest

from gr_tf.attribution.tracin import TracIn
from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError
from gr_tf.evaluation.opponents import WHOLE, changes, choices, scores, shared_with_opponents, train_without
from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.retraining import Retraining
from gr_tf.evaluation.statistics import mean_interval
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import Progress
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.training.sequence_config import SequenceConfig

CONFIG = SequenceConfig(dim=3, hidden=4, epochs=3, batch_size=16, learning_rate=0.01, kept_epochs=(2,))


@pytest.fixture(scope="module")
def recommender(toy_sequences: SequenceSet) -> Trained:
    return train_in_memory(SequenceTask(toy_sequences, CONFIG), validating=True)


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
        with pytest.raises(InputError, match=f"removed must be from 1 to 5, below the training examples; got {k}"):
            choices(influences, losses, [k], 0)


def test_equals_are_removed_by_example_id() -> None:
    generator = np.random.default_rng(0)
    influences, losses = generator.integers(3, size=(2, 400)).astype(float)
    chosen = choices(influences, losses, [50], 0)
    assert chosen["opponents", 50].tolist() == np.flatnonzero(influences == 0)[:50].tolist()
    assert chosen["highest loss", 50].tolist() == np.flatnonzero(losses == 2)[:50].tolist()


def test_scores_are_of_the_published_batches(recommender: Trained, tmp_path: pathlib.Path) -> None:
    losses = recommender.task.losses()
    chosen = losses.validation()
    influences, of_training = scores(recommender, chosen, tmp_path / "scores")
    assert len(chosen[0]) < 128  # one batch: the mean
    tracin = TracIn(losses, recommender.checkpoints(), losses.trained_layers)
    np.testing.assert_allclose(influences, tracin.pairwise(chosen).mean(axis=0), rtol=1e-3, atol=1e-8)
    np.testing.assert_array_equal(of_training, tracin.training_losses())
    again, _ = scores(recommender, (), tmp_path / "scores")
    np.testing.assert_array_equal(again, influences)


def test_scores_are_sums_of_the_means_of_batches(
    recommender: Trained, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published code adds up its batches' mean losses: in a last batch of fewer examples each counts for more."""
    monkeypatch.setattr("gr_tf.evaluation.opponents._PUBLISHED_BATCH", 4)
    losses = recommender.task.losses()
    chosen = [part[:10] for part in losses.validation()]
    assert len(chosen[0]) == 10
    influences, _ = scores(recommender, chosen, tmp_path / "scores")
    pairs = TracIn(losses, recommender.checkpoints(), losses.trained_layers).pairwise(chosen)
    want = pairs[:4].mean(axis=0) + pairs[4:8].mean(axis=0) + pairs[8:].mean(axis=0)
    np.testing.assert_allclose(influences, want, rtol=1e-3, atol=1e-8)
    for other in (pairs.mean(axis=0), pairs.sum(axis=0), 2.5 * pairs.mean(axis=0), pairs.sum(axis=0) / 4):
        assert not np.allclose(influences, other, rtol=1e-2, atol=1e-8)


def test_trainings_are_paired_and_found_again(recommender: Trained, tmp_path: pathlib.Path) -> None:
    task = recommender.task
    removals = {("opponents", 2): np.array([0, 7]), ("random", 3): np.array([1, 2, 5])}
    with RunDir.begin(tmp_path, {}) as stage:
        whole, *first = train_without(recommender, removals, stage, 2, 30.0)
    assert whole == {"removed": WHOLE, "k": 0, "epoch": CONFIG.epochs, **task.quality(recommender.parameters)}
    for told, ((removed, k), ids) in zip(first, removals.items(), strict=True):
        quality = task.quality(task.train(removed=ids).parameters)
        assert told == {"removed": removed, "k": k, "epoch": CONFIG.epochs, **quality}
    assert len({told["test"]["cross_entropy"] for told in (whole, *first)}) == 3
    journal = (tmp_path / "trainings.jsonl").read_text()
    with RunDir.begin(tmp_path, {}) as stage:
        assert train_without(recommender, removals, stage, 1, 30.0) == [whole, *first]
    assert (tmp_path / "trainings.jsonl").read_text() == journal
    more = {**removals, ("random", 1): np.array([1])}
    with RunDir.begin(tmp_path, {}) as stage:
        assert train_without(recommender, more, stage, 1, 30.0)[:-1] == [whole, *first]
    assert [record["removed"] for record in Journal(tmp_path / "trainings.jsonl").records[2:]] == [[1]]
    with RunDir.begin(tmp_path / "two", {}) as stage, pytest.raises(InputError, match="jobs must be at least 1; got 0"):
        train_without(recommender, removals, stage, 0, 30.0)


def test_the_epoch_is_selected_as_in_the_training(toy_sequences: SequenceSet, tmp_path: pathlib.Path) -> None:
    """With patience, a retraining has all the epochs and may stop at another than the training did."""
    config = SequenceConfig(
        dim=3, hidden=4, epochs=6, batch_size=16, learning_rate=0.03, kept_epochs=(), train_embeddings=True, patience=2
    )
    trained = train_in_memory(SequenceTask(toy_sequences, config), validating=True)
    with RunDir.begin(tmp_path, {}) as stage:
        _, told = train_without(trained, {("random", 40): np.arange(40)}, stage, 1, 30.0)
    want = trained.task.train(removed=np.arange(40), validating=True)
    assert told["epoch"] == want.epoch
    assert told["test"] == trained.task.quality(want.parameters)["test"]


def test_a_killed_training_goes_on(
    recommender: Trained, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [Retraining.of(recommender, [0, 7], "quality", validating=True)]
    (straight,) = outcomes_of([recommender], asked, tmp_path / "straight.jsonl", 1)
    found: list[int] = []
    done: list[int] = []
    folder, journal = tmp_path / "checkpoints", tmp_path / "killed.jsonl"

    class Watched(Progress):
        """Killed in the last epoch but one."""

        def pass_over(self, count: int) -> None:
            found.append(count)

        def advance(self) -> None:
            done.append(1)
            if len(done) == CONFIG.epochs - 1:
                raise KeyboardInterrupt

    monkeypatch.setattr("gr_tf.runs.progress.Progress", Watched)
    with pytest.raises(KeyboardInterrupt):
        outcomes_of([recommender], asked, journal, 1, folder=folder, checkpoint_seconds=0)
    assert not Journal(journal).records
    found.clear()
    done.clear()
    done.append(-1)  # not killed again
    monkeypatch.setattr(Watched, "advance", lambda self: done.append(1))
    assert outcomes_of([recommender], asked, journal, 1, folder=folder, checkpoint_seconds=0) == [straight]
    # It was killed before the second epoch's checkpoint; the first's was there.
    assert sum(found) + len(done[1:]) == CONFIG.epochs
    assert sum(found) == CONFIG.epochs - 2
    assert not folder.exists()


def test_changes_are_paired_by_seed() -> None:
    def of_seed(*values: float) -> list[dict[str, object]]:
        names = ((WHOLE, 0), ("opponents", 2))
        return [{"removed": name, "k": k, "test": {"mrr": v}} for (name, k), v in zip(names, values, strict=True)]

    whole, opponents = changes({0: of_seed(0.1, 0.4), 1: of_seed(0.3, 0.5)}, ["mrr"])
    assert (whole["removed"], whole["k"], whole["mrr"]["differences"]) == (WHOLE, 0, [0, 0])
    assert opponents["mrr"]["mean"] == pytest.approx(0.45)
    assert opponents["mrr"]["differences"] == pytest.approx([0.3, 0.2])
    told = [opponents["mrr"][name] for name in ("mean_difference", "low", "high")]
    assert told == pytest.approx(mean_interval([0.3, 0.2]))


def test_shared_with_opponents() -> None:
    removals = {("opponents", 2): np.array([1, 3]), ("random", 2): np.array([3, 4])}
    assert shared_with_opponents(removals) == {"opponents 2": 2, "random 2": 1}


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
