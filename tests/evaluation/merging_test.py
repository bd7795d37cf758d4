"""Shards' journals: parts that are disjoint and whole, joined after checks."""

import json
import pathlib
import shutil
from collections.abc import Sequence

import pytest

from gr_tf.data.triples import TripleSet
from gr_tf.errors import DamagedError, InputError
from gr_tf.evaluation.leave_one_out import values_by_seed
from gr_tf.evaluation.merging import merge
from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.retraining import Outcome, Retraining
from gr_tf.runs import files
from gr_tf.runs.journal import Journal, read_journal
from gr_tf.runs.run_dir import CHECKPOINTS, RunDir
from gr_tf.runs.shards import Shard, Stopped, working_as
from gr_tf.tasks.trained import Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

SETTINGS = {"methods": ["gr"], "train_fingerprint": "f"}


def asked_of(trained: Trained) -> list[Retraining]:
    """Nine, of which one is asked for twice."""
    query = [trained.task.query_of(3)]
    removals = [(), *((example,) for example in range(8)), (2,)]
    return [Retraining.of(trained, removed, "answers", query, length=2) for removed in removals]


def do(trained: Trained, folder: pathlib.Path, shard: Shard | None = None) -> list[Outcome] | None:
    """What a command does: the outcomes, or None if it stopped as a shard."""
    with RunDir.begin(folder / "stage", SETTINGS) as stage:
        journal, checkpoints = stage.place("retrainings.jsonl"), stage.place(CHECKPOINTS)
        if shard is None:
            return outcomes_of([trained], asked_of(trained), journal, 1, folder=checkpoints, checkpoint_seconds=0)
        with working_as(shard):
            try:
                return outcomes_of([trained], asked_of(trained), journal, 1, folder=checkpoints, checkpoint_seconds=0)
            except Stopped:
                return None


@pytest.fixture(scope="module")
def straight(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    found = do(trained, tmp_path_factory.mktemp("straight"))
    assert found is not None
    return found


def names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in (folder / "stage").iterdir())


@pytest.mark.parametrize("count", [1, 7])
def test_shards_together_are_the_command(
    trained: Trained, straight: Sequence[Outcome], tmp_path: pathlib.Path, count: int
) -> None:
    for number in range(1, count + 1):
        assert do(trained, tmp_path, Shard(number, count)) is None
    several = "7 shards' journals are" if count == 7 else "a shard's journal is"
    with pytest.raises(InputError, match=rf"{several} not merged, such as retrainings-1-of-{count}.jsonl: merge first"):
        do(trained, tmp_path)
    (merged,) = merge(tmp_path)
    assert str(merged) == f"{tmp_path}/stage/retrainings.jsonl: 9 retrainings, 9 of them new."
    assert names(tmp_path) == [".lock", CHECKPOINTS, "retrainings.jsonl", "run.json"]
    assert not list((tmp_path / "stage" / CHECKPOINTS).iterdir())
    before = (tmp_path / "stage" / "retrainings.jsonl").read_bytes()
    # Also a shard finds everything done, and goes on to the end.
    assert do(trained, tmp_path, Shard(1, count)) == do(trained, tmp_path) == straight
    assert (tmp_path / "stage" / "retrainings.jsonl").read_bytes() == before
    # A job that merges may be done twice.
    assert merge(tmp_path) == merge(tmp_path / "stage") == []


def test_a_shard_goes_on_where_it_stopped(trained: Trained, tmp_path: pathlib.Path) -> None:
    shard = Shard(2, 2)
    do(trained, tmp_path, shard)
    own = tmp_path / "stage" / "retrainings-2-of-2.jsonl"
    whole = own.read_bytes()
    own.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    with (
        working_as(shard),
        pytest.raises(Stopped, match=r"part is 4 of 9 retrainings: 2 done now, 2 before") as stopped,
    ):
        outcomes_of([trained], asked_of(trained), tmp_path / "stage" / "retrainings.jsonl", 1)
    assert own.read_bytes() == whole
    assert f"gr_tf merge of {tmp_path / 'stage'}, then the same again" in str(stopped.value)


def test_what_is_missing_is_told_and_done_by_the_command(
    trained: Trained, straight: Sequence[Outcome], tmp_path: pathlib.Path
) -> None:
    for number in (1, 2):
        do(trained, tmp_path, Shard(number, 3))
    own = tmp_path / "stage" / "retrainings-2-of-3.jsonl"
    own.write_bytes(own.read_bytes().splitlines(keepends=True)[0])
    (merged,) = merge(tmp_path / "stage")
    assert (merged.total, merged.new) == (4, 4)
    assert merged.missing == ("2 of shard 2/3", "all of shard 3/3")
    assert str(merged).endswith("Missing: 2 of shard 2/3, all of shard 3/3.")
    assert do(trained, tmp_path) == straight


def test_latecomers_are_merged_later(trained: Trained, straight: Sequence[Outcome], tmp_path: pathlib.Path) -> None:
    """What was merged before is not missing, whichever shards did it, and of how many."""
    for number in (1, 2):
        do(trained, tmp_path, Shard(number, 3))
    (merged,) = merge(tmp_path)
    assert merged.missing == ("all of shard 3/3",)
    do(trained, tmp_path, Shard(2, 4))
    (merged,) = merge(tmp_path)
    # Of the places 2, 5, and 8 of shard 3/3, one (5) was done.
    assert (merged.total, merged.missing) == (7, ("1 of shard 1/4", "1 of shard 3/4"))
    do(trained, tmp_path, Shard(3, 3))
    (merged,) = merge(tmp_path)
    assert (merged.total, merged.new, merged.missing) == (9, 2, ())
    assert do(trained, tmp_path) == straight


def copies(trained: Trained, tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Two folders of two machines, where a shard each has worked."""
    first, second = tmp_path / "first", tmp_path / "second"
    with RunDir.begin(first / "stage", SETTINGS):
        pass
    shutil.copytree(first, second)
    do(trained, first, Shard(1, 2))
    do(trained, second, Shard(2, 2))
    return first, second


def test_copies_of_the_folder_are_joined(trained: Trained, straight: Sequence[Outcome], tmp_path: pathlib.Path) -> None:
    first, second = copies(trained, tmp_path)
    before = {path: path.read_bytes() for path in second.rglob("*") if path.is_file()}
    (merged,) = merge(first, [second])
    assert (merged.total, merged.new, merged.missing) == (9, 9, ())
    assert before == {path: path.read_bytes() for path in second.rglob("*") if path.is_file()}
    assert do(trained, first) == straight
    (again,) = merge(first, [second])
    assert again.missing == ()
    assert (again.total, again.new) == (9, 0)


def test_what_cannot_be_joined_is_refused_before_anything_is_written(trained: Trained, tmp_path: pathlib.Path) -> None:
    first, second = copies(trained, tmp_path)
    own = first / "stage" / "retrainings-1-of-2.jsonl"
    other = second / "stage" / "retrainings-2-of-2.jsonl"
    good, good_run = other.read_bytes(), (second / "stage" / "run.json").read_bytes()
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}

    def refused(told: str, error: type[Exception] = InputError) -> None:
        with pytest.raises(error, match=told):
            merge(first, [second])
        assert before == {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
        other.write_bytes(good)
        files.delete(second / "stage" / "retrainings-1-of-2.jsonl")
        (second / "stage" / "run.json").write_bytes(good_run)

    other.write_bytes(good.replace(b'"epoch": 2', b'"epoch": 3', 1))
    refused(r"retrainings-2-of-2.jsonl:1: edited", DamagedError)
    record = {**read_journal(own)[0], "epoch": 5}
    journal = Journal(second / "stage" / "retrainings-1-of-2.jsonl")
    journal.add(record)
    journal.close()
    refused(
        rf"second/stage/retrainings-1-of-2.jsonl: retraining {record['retraining']} has another outcome than in .*first"
    )
    run = json.loads(good_run)
    del run["checksum"]
    files.write_json(second / "stage" / "run.json", {**run, "settings": {**SETTINGS, "train_fingerprint": "g"}})
    refused(r"second/stage: train_fingerprint is 'g' there, but 'f' in .*first/stage")
    files.write_json(second / "stage" / "run.json", {**run, "made_with": {**run["made_with"], "numpy": "1.0"}})
    refused(r"made with different versions or processors \(numpy .*, not 1.0\)")
    with RunDir.begin(first / "stage", SETTINGS):
        refused("another process is working on it")


def test_there_must_be_something_to_join(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="absent: no such folder"):
        merge(tmp_path / "absent")
    with pytest.raises(InputError, match="no shard has left a journal there"):
        merge(tmp_path)
    (tmp_path / "retrainings-1-of-2.jsonl").touch()
    with pytest.raises(InputError, match=r"no stage of a run, it has no run.json: name the folder where a shard"):
        merge(tmp_path)


def test_a_part_of_an_earlier_version_is_told(trained: Trained, tmp_path: pathlib.Path) -> None:
    do(trained, tmp_path, Shard(1, 2))
    files.write_json(tmp_path / "stage" / "retrainings-1-of-2.json", {"retrainings": ["a"]})
    with pytest.raises(InputError, match=r"retrainings-1-of-2.json: written by an earlier gr_tf: delete it"):
        merge(tmp_path)


def test_seeds_of_leave_one_out(toy: TripleSet, tmp_path: pathlib.Path) -> None:
    """Each seed has a journal until its arrays are there; a shard does its part of all seeds before it stops."""
    task = TripleTask(toy, TripleConfig(dim=3, num_negatives=4, epochs=1))
    queries, removals = [task.query_of(3), task.query_of(8)], [(), (1,), (2,), (3,)]

    def values(folder: pathlib.Path) -> list[bytes]:
        with RunDir.begin(folder, {}) as stage:
            place = stage.place("truth")
            values_by_seed(place, task.seeded, [0, 1], queries, removals, 1, lambda found: {"values": found})
            assert sorted(path.name for path in place.iterdir()) == ["seed0", "seed1"]
            return [(place / f"seed{seed}" / "values.npy").read_bytes() for seed in (0, 1)]

    straight = values(tmp_path / "straight")
    folder = tmp_path / "sharded"
    for number in (1, 2):
        with working_as(Shard(number, 2)), pytest.raises(Stopped, match="its part is 4 of 8 retrainings: 4 done now"):
            values(folder)
    assert [str(one.journal.relative_to(folder)) for one in merge(folder)] == ["truth/seed0.jsonl", "truth/seed1.jsonl"]
    assert values(folder) == straight
