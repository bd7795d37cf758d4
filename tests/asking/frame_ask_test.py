"""Questions about one's own DataFrame: the first answer, its check, and its run found again."""

import gc
import pathlib
import subprocess
import sys
from typing import Any

import pandas as pd
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.opening import ask, open_run
from gr_tf.asking.question import parts_of
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Retraining
from gr_tf.tasks import kinds
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

SMALL: dict[str, Any] = {"dim": 4, "num_negatives": 5, "epochs": 3, "learning_rate": 0.05, "batch_size": 1}


@pytest.fixture(scope="module")
def frame(toy: TripleSet) -> pd.DataFrame:
    return toy.train_frame


@pytest.fixture(scope="module")
def frame_run(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    run = tmp_path_factory.mktemp("frame") / "run"
    ask(frame, run_dir=run, labels={"e1": "One"}, **SMALL)
    return run


def test_a_temporary_run_lives_as_long_as_its_asker(frame: pd.DataFrame) -> None:
    asker = ask(train=frame, **SMALL)
    answer = asker.answer(("e1", "r1", "?"), k=3)
    assert asker.temporary is not None
    folder = asker.temporary.path
    assert (folder / "train" / "result.json").exists()
    checks = asker.check(answer, seeds=2, jobs=2)
    assert [len(check.before) for check in checks] == [2] * len(checks)
    # Other trainings are kept in the run, too.
    assert asker.answer("e1,r1,?", trainings=2).trainings == 2
    assert (folder / "members" / "1").exists()
    del asker, answer
    gc.collect()
    assert not folder.exists()


def test_people_see_labels_and_programs_names(frame: pd.DataFrame, frame_run: pathlib.Path) -> None:
    answer = ask(frame, run_dir=frame_run, labels={"e1": "One"}, **SMALL).answer("One,r1,?", k=20)
    assert "One" in set(answer.frame["head"])
    assert "e1" not in set(answer.frame["head"])
    columns = ["head", "relation", "tail"]
    pd.testing.assert_frame_equal(answer.named[columns], answer.frame[columns].replace("One", "e1"))
    assert list(answer.named) == list(answer.frame)


def test_a_run_is_found_again(frame: pd.DataFrame, frame_run: pathlib.Path) -> None:
    before = (frame_run / "train" / "result.json").read_bytes()
    # Another index, and columns that are not read, change nothing.
    same = frame.set_axis(range(9, 9 + len(frame)), axis=0).assign(source="x")
    asker = ask(same, run_dir=frame_run, labels={"e1": "One"}, **SMALL)
    assert (frame_run / "train" / "result.json").read_bytes() == before
    assert asker.temporary is None
    opened = open_run(frame_run)
    assert opened.trained.fingerprint == asker.trained.fingerprint
    assert opened.answer("One,r1,?").to_dict() == asker.answer(["One", "r1", "?"]).to_dict()
    # Any process can make its task again.
    assert kinds.make(asker.task.reference).dataset.checksum == asker.task.dataset.checksum


def test_another_frame_is_refused(frame: pd.DataFrame, frame_run: pathlib.Path) -> None:
    before = sorted((path, path.read_bytes()) for path in frame_run.rglob("*") if path.is_file())
    with pytest.raises(InputError, match=r"data was made from another DataFrame than the one there is now\."):
        ask(frame.iloc[1:], run_dir=frame_run, **SMALL)
    with pytest.raises(InputError, match="epochs"):
        ask(frame, run_dir=frame_run, labels={"e1": "One"}, **SMALL | {"epochs": 4})
    assert sorted((path, path.read_bytes()) for path in frame_run.rglob("*") if path.is_file()) == before


def test_a_task_of_a_frame_is_retrained_in_threads(frame: pd.DataFrame) -> None:
    from gr_tf.data.sources import load_triples

    trained = train_in_memory(TripleTask(load_triples(frame), TripleConfig(**SMALL)), validating=True)
    query, _ = trained.task.ask(trained.parameters, ["e1", "r1", "?"])
    asked = [Retraining.of(trained, removed, "value", [query]) for removed in ((), (0,), (1, 2))]
    measured = {place: outcome.measured for place, outcome in retrain(asked, jobs=2, known=[trained])}
    assert measured[0] == trained.task.value(trained.parameters, [query]).tolist()
    assert len({tuple(value) for value in measured.values()}) == 3
    # What has only the reference, such as another process, is told what to do.
    with pytest.raises(
        InputError, match=r"were a DataFrame in the memory of the process that trained: give them again"
    ):
        list(retrain(asked, jobs=1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "name the data that the model is to be trained on, with train, data_dir or dataset."),
        ({"train": [("a", "r", "b")]}, "train must be a DataFrame of pandas; got list: try pandas.DataFrame(train)."),
        (
            {"train": pd.DataFrame([("a", "r", "b")])},
            "train: its columns have no names, only numbers: name them, or the",
        ),
        (
            {"train": pd.DataFrame([("a", "b")]), "kind": "graph"},
            "kind must be triples or ratings or sequences or choices for train;",
        ),
        ({"train": pd.DataFrame({"head": ["a"]})}, "train: has no column relation, tail; its columns are 'head'."),
        ({"train": pd.DataFrame({"user": ["a"]})}, "train: has no column item, rating; its columns are 'user'."),
        ({"train": pd.DataFrame({"head": ["a"]}), "kind": "ratings"}, "kind must be triples for train; got 'ratings'."),
        ({"train": pd.DataFrame({"head": ["a"]}), "titles": {}}, "titles is not for triples: take labels."),
        (
            {"dataset": "nations", "labels": {"a": "b"}},
            "labels goes with a DataFrame; data in files have a file entity_lab",
        ),
        (
            {"train": pd.DataFrame({"user": ["a"]}), "data_dir": "x"},
            "the data are train, a DataFrame, or in data_dir, not",
        ),
        (
            {"train": pd.DataFrame({"user": [1]}), "data_dir": pd.DataFrame()},
            "two DataFrames may be the training data,",
        ),
    ],
)
def test_what_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        ask(**given)
    assert str(caught.value).startswith(message)


def test_the_parts_of_a_question(asker: Asker) -> None:
    assert parts_of(("a, b", 7, "?")) == ("a, b", "7", "?")
    assert parts_of('"a, b", 7, ?') == ("a, b", "7", "?")
    assert asker.answer(("e1", "r1", "?")).to_dict() == asker.answer("e1,r1,?").to_dict()
    for wrong, message in (
        (("e1", "r1"), "a question is head,relation,tail"),
        (("e1", "r1", None), r"part 2 of the question must be text or a whole number; got None\."),
        (("e1", True, "?"), "part 1 of the question must be"),
        (7, r'a question is a text such as "a,b,\?", or a tuple of its parts; got 7\.'),
        (b"e1,r1,?", "a question is a text such as"),
    ):
        with pytest.raises(InputError, match=message):
            asker.answer(wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_command_line_asks_a_frames_run(frame_run: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gr_tf", "explain", f"--run_dir={frame_run}", "--query=One,r1,?", "--verify", "--k=2"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Is it true?" in done.stdout
