"""Shards: who does what, in which files, and who waits for whom."""

import pathlib
import threading

import pytest

from gr_tf.errors import InputError
from gr_tf.runs import shards
from gr_tf.runs.run_dir import RunDir
from gr_tf.runs.shards import Parts, Shard, Stopped, working_as


def test_every_place_is_of_one_shard() -> None:
    for count in (1, 7, 64):
        for place in range(100):
            assert sum(Shard(number, count).has(place) for number in range(1, count + 1)) == 1
    assert Shard.of("3/64") == Shard(3, 64)
    assert str(Shard(3, 64)) == "3/64"


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "-1/4", "1/0", "3/64/", " 1/2", "1/2\n", "x/2", "٣/4"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="shard must be a number and how many shards there are"):
        Shard.of(text)


def test_files_of_shards_are_found_again(tmp_path: pathlib.Path) -> None:
    journal = tmp_path / "stage" / "trainings.jsonl"
    journal.parent.mkdir()
    wanted = []
    for shard in (Shard(1, 3), Shard(12, 64)):
        for suffix in (".json", ".jsonl", ".lock"):
            shard.beside(journal, suffix).touch()
            wanted.append((shard, shard.beside(journal, suffix)))
    for other in ("trainings.jsonl", "trainings-0-of-3.jsonl", "other-1-of-3.jsonl", "trainings-1-of-3.npy"):
        (tmp_path / "stage" / other).touch()
    assert shards.parts_of(journal) == sorted(wanted, key=lambda part: part[1])
    assert shards.parts_of(tmp_path / "absent" / "trainings.jsonl") == []
    assert shards.journals_below(tmp_path) == [journal.with_name("other.jsonl"), journal]


def test_shards_wait_for_each_other_until_they_let_others_in(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal, entered = tmp_path / "retrainings.jsonl", threading.Event()

    def second() -> None:
        with working_as(Shard(2, 2)), RunDir.begin(tmp_path, {}):
            entered.set()

    with working_as(Shard(1, 2)), RunDir.begin(tmp_path, {}):
        assert shards.works_alone()
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not entered.wait(0.3)
        with shards.own_lock(Shard(1, 2), journal):
            shards.let_others_in()
            assert not shards.works_alone()
            assert entered.wait(10)
            waiting.join()
    assert f"waiting for another process that works on {tmp_path}" in capsys.readouterr().err


def test_no_other_process_works_in_a_folder(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, {}), pytest.raises(InputError, match=f"{tmp_path}: another process is working on it"):
        RunDir.begin(tmp_path, {})
    journal = tmp_path / "retrainings.jsonl"
    with (
        shards.own_lock(Shard(1, 2), journal),
        pytest.raises(InputError, match="another process is working on shard 1/2"),
        shards.own_lock(Shard(1, 2), journal),
    ):
        pass
    with (
        shards.own_lock(Shard(1, 2), journal),
        shards.own_lock(Shard(2, 2), journal),
        pytest.raises(InputError, match="another process is working on it, as shard 1/2"),
    ):
        RunDir.begin(tmp_path, {})
    with RunDir.begin(tmp_path, {}):  # All of them have ended.
        pass


def test_overwrite_deletes_what_shards_left(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, {}) as stage:
        journal = stage.place("retrainings.jsonl")
    for suffix in (".json", ".jsonl", ".lock"):
        Shard(2, 3).beside(journal, suffix).touch()
    with RunDir.begin(tmp_path, {}, overwrite=True):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "run.json"]


def test_several_parts_then_one_stop(tmp_path: pathlib.Path) -> None:
    parts, shard = Parts(), Shard(1, 2)
    for seed in range(3):
        with parts:
            if seed != 1:
                raise Stopped(shard, 2, 3, 6, tmp_path / f"seed{seed}")
    with pytest.raises(Stopped, match=r"its part is 6 of 12 retrainings: 4 done now, 2 before") as stopped:
        parts.stop()
    assert f"gr_tf merge of {tmp_path}," in str(stopped.value)
    Parts().stop()
    with pytest.raises(KeyError), Parts():
        raise KeyError


def test_a_context_is_left_with_the_shard_of_before() -> None:
    with working_as(Shard(1, 2)):
        assert shards.current() == Shard(1, 2)
    assert shards.current() is None
