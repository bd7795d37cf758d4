"""The front door: one's own files to a checked answer in one command, and mistakes in one line."""

import io
import json
import pathlib

import pandas as pd
import pytest

from gr_tf.runs import files
from tests.commands.program import gr_tf
from tests.conftest import rating_lines, write_graph

QUICK = ("--dim=4", "--epochs=3")


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with train.tsv alone, trained on."""
    folder = tmp_path_factory.mktemp("mine")
    write_graph(folder / "whole")
    (folder / "data").mkdir()
    (folder / "whole" / "train.txt").rename(folder / "data" / "train.tsv")
    return folder


def test_from_a_folder_to_a_page(
    capsys: pytest.CaptureFixture[str], mine: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    where = (f"--data_dir={mine / 'data'}", f"--run_dir={mine / 'run'}", *QUICK)
    asked = ("--query=e1,r1,?", "--k=3", "--verify", "--verify_seeds=3", "--minimal", "--most_retrainings=20")
    assert gr_tf("explain", *where, *asked, f"--report={tmp_path / 'why.html'}") == 0
    printed = capsys.readouterr()
    assert "valid: no file; 3 of 60 triples held out (seed 0)." in printed.err
    text = printed.out
    for part in (
        "Is the model any good?",
        "the most frequent tails, and heads, of the relation",
        "(e1, r1, ?): the most probable that are not known already",
        "What supports it most:",
        "What speaks against it most:",
        "Is it true? Trained again without them:",
        " of 3 trainings",
        "The fewest it needs",
        "The fewest that suffice",
        " of 3 trainings of different seeds",
    ):
        assert part in text
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    # The run's folder alone is enough the next time.
    assert gr_tf("explain", f"--run_dir={mine / 'run'}", "--query=e1,r1,?", "--k=3") == 0
    assert capsys.readouterr().out in text
    # But not with settings of a new training.
    assert gr_tf("explain", f"--run_dir={mine / 'run'}", "--query=e1,r1,?", "--epochs=9") == 1
    assert "--epochs is for a new training: name the data too" in capsys.readouterr().err


def test_nothing_is_trained_for_a_question_with_an_unknown_name(
    capsys: pytest.CaptureFixture[str], mine: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    where = (f"--data_dir={mine / 'data'}", f"--run_dir={tmp_path / 'new'}", *QUICK)
    assert gr_tf("explain", *where, "--query=e99,r1,?") == 1
    assert gr_tf("evaluate", *where, "--methods=nh,criage") == 1
    assert "criage explains models trained with --loss=sigmoid" in capsys.readouterr().err
    assert gr_tf("explain", *where, "--query=?,r1,e2", "--loss=sigmoid", "--method=criage") == 1
    assert "criage explains tails only" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("question", "what"), [("?,r1,e2", "heads"), ("e1,?,e2", "relations")])
def test_a_head_and_a_relation(
    capsys: pytest.CaptureFixture[str], mine: pathlib.Path, tmp_path: pathlib.Path, question: str, what: str
) -> None:
    where = (f"--data_dir={mine / 'data'}", f"--run_dir={mine / 'run'}", *QUICK, f"--query={question}", "--k=2")
    assert gr_tf("explain", *where, "--verify", f"--report={tmp_path / 'why.html'}") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Is the model any good at predicting {what}?\n")
    assert f"\n({question.replace(',', ', ')}): the most probable that are not known already, of all candidates" in text
    assert "Is it true? Trained again without them:" in text
    assert gr_tf("explain", *where, "--output=json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["asked"] == question.split(",")
    assert told["quality"]["asked"] == what
    assert f"Why {told['predicted']}? " in text
    assert f"<bdi>{told['predicted']}</bdi>" in (tmp_path / "why.html").read_text(encoding="utf-8")


def test_without_data_it_says_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert gr_tf("explain", "--query=nowhere,exports3,?") == 1
    told = capsys.readouterr().err
    assert "this is Nations" in told
    assert "unknown entity 'nowhere'" in told


def test_for_machines(capsys: pytest.CaptureFixture[str], mine: pathlib.Path) -> None:
    where = (f"--data_dir={mine / 'data'}", f"--run_dir={mine / 'run'}", *QUICK, "--query=e1,r1,?", "--k=2")
    assert gr_tf("explain", *where, "--output=json", "--verify", "--minimal", "--most_retrainings=9") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["asked"] == ["e1", "r1", "?"]
    assert told["predicted"] == told["alternatives"][0]["name"]
    assert set(told["quality"]) == {"model", "baseline", "baseline_name", "deciding", "warning"}
    assert len(told["proponents"]) == len(told["opponents"]) == 2
    check = told["checks"][0]
    assert check["example_ids"] == [told["proponents"][0]["example_id"]]
    assert check["change"]["mean"] == check["after"][0] - check["before"][0]
    confirmed = {"confirmed_necessary", "confirmed_sufficient"}
    assert set(told["minimal"]) == {"necessary", "instead", "sufficient"} | confirmed
    # Three trainings are the least, whatever --verify checks with.
    assert {(told["minimal"][name] or {"trainings": 3})["trainings"] for name in confirmed} == {3}
    # With --minimal alone, --verify_seeds is how many trainings confirm a set, and asks for no other check.
    assert gr_tf("explain", *where, "--output=json", "--minimal", "--most_retrainings=3", "--verify_seeds=4") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["checks"] == []
    assert {(told["minimal"][name] or {"trainings": 4})["trainings"] for name in confirmed} == {4}
    assert gr_tf("explain", *where, "--output=csv", "--method=tracin") == 0
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(frame.columns) == ["influence", "head", "relation", "tail", "connection", "example_id"]
    assert len(frame) == 4


@pytest.mark.slow
def test_several_trainings(capsys: pytest.CaptureFixture[str], mine: pathlib.Path, tmp_path: pathlib.Path) -> None:
    where = (f"--data_dir={mine / 'data'}", f"--run_dir={tmp_path / 'run'}", *QUICK, "--query=e1,r1,?", "--k=2")
    several = (
        *where,
        "--batch_size=1",
        "--trainings=3",
        "--method=replay",
        "--verify",
        f"--report={tmp_path / 'why.html'}",
    )
    assert gr_tf("explain", *several) == 0
    text = capsys.readouterr().out
    assert "Means over 3 trainings." in text
    assert "standard error" in text
    assert "certain" in text
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "Means over 3 trainings." in page
    assert "standard error" in page
    assert gr_tf("explain", *several, "--output=json", "--overwrite") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trainings"] == 3
    assert set(told["proponents"][0]) >= {"influence", "standard error", "sign"}


@pytest.mark.slow
def test_ratings_by_default(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    """Batches with shares, the epoch by validation; a check trains anew; Gradient Rollback is possible."""
    rows = [line.split("\t")[:3] for line in rating_lines(num_users=10, num_items=10, num_ratings=100)]
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,stars\n" + "".join(",".join(row) + "\n" for row in rows))
    where = (f"--data_dir={path}", f"--run_dir={tmp_path / 'run'}", "--min_interactions=3", "--query=u1,i2")
    assert gr_tf("explain", *where, "--verify", "--output=json", "--tune_minutes=0") == 0
    told = json.loads(capsys.readouterr().out)
    training = told["model"]["training"]
    assert (training["optimizer"], training["epochs"], training["patience"]) == ("sgd", 200, 10)
    result = files.read_json(tmp_path / "run" / "train" / "result.json")
    rmse = [epoch["validation"]["rmse"] for epoch in result["history"]]
    assert result["epoch"] == told["model"]["epoch"] == 1 + rmse.index(min(rmse))
    first = told["checks"][0]
    assert first["before"] == [told["stars"]]
    assert first["after"] != first["before"]
    run = (f"--run_dir={tmp_path / 'run'}", "--query=u1,i2")
    assert gr_tf("explain", *run, "--method=gr") == 0
    assert "Gradient Rollback" in capsys.readouterr().out
    assert gr_tf("explain", *run, "--verify", "--retraining_steps=5") == 1
    assert "a check of this model trains anew" in capsys.readouterr().err.splitlines()[-1]


def test_ratings(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    rows = [line.split("\t")[:3] for line in rating_lines(num_users=10, num_items=10, num_ratings=100)]
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,stars\n" + "".join(",".join(row) + "\n" for row in rows))
    where = (f"--data_dir={path}", f"--run_dir={tmp_path / 'run'}", "--training_steps=40", "--query=u1,i2")
    page = tmp_path / "why.html"
    assert gr_tf("explain", *where, "--verify", "--retraining_steps=20", f"--report={page}") == 0
    text = capsys.readouterr().out
    assert "(u1, i2):" in text
    assert "stars" in text
    assert "measured change" in text
    assert "same user" in page.read_text()
    for flags, message in (
        (("--minimal",), "minimal sets are of predictions among several answers"),
        (("--loss=sigmoid",), "--loss is not for ratings"),
        (("--method=criage",), "tracin, nh for ratings; got 'criage'"),
        (
            ("--method=gr",),
            "Gradient Rollback needs a training that keeps what each example changes; of ratings,",
        ),
        (("--query=u1,i2,?",), "a question is user,item"),
        (("--kind=triples",), "--kind must be ratings or sequences or choices for"),
        (("--retraining_steps=0",), "--retraining_steps=0"),
        (("--query=u99,i2",), "unknown user 'u99'"),
        (("--damping=-1",), "--damping must be a number of at least 0; got -1"),
    ):
        assert gr_tf("explain", *where, *flags) == 1
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_sequences(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    """All that is for triples is for sequences too."""
    rows = [line.split("\t") for line in rating_lines()]
    path = tmp_path / "sequences.csv"
    path.write_text("user,item,time\n" + "".join(f"{user},{item},{time.strip()}\n" for user, item, _, time in rows))
    quick = ("--epochs=2", "--dim=4", "--min_interactions=5", "--window=6")
    where = (f"--data_dir={tmp_path}", f"--run_dir={tmp_path / 'run'}", *quick)
    asked = ("--query=u1,?", "--k=2", "--trainings=2", "--verify", "--minimal", "--most_retrainings=4")
    page = tmp_path / "why.html"
    assert gr_tf("explain", *where, *asked, f"--report={page}") == 0
    text = capsys.readouterr().out
    for part in ("TracIn", "Means over 2 trainings.", "measured change", "The fewest it needs"):
        assert part in text
    assert page.read_text().rstrip().endswith("</html>")
    assert gr_tf("explain", f"--run_dir={tmp_path / 'run'}", "--query=i1,i2,i3", "--method=nh", "--output=json") == 0
    assert json.loads(capsys.readouterr().out)["asked"] == ["i1", "i2", "i3"]
    for flags, message in (
        (("--loss=sigmoid",), "--loss is not for sequences."),
        (("--retraining_steps=9",), "--retraining_steps is not for sequences."),
        (("--query=u1",), "a question is user"),
        (("--query=u1,i99",), "unknown item 'i99'"),
        (("--kind=ratings",), "--kind must be sequences or choices for"),
        (("--order=file",), "was begun with split.order = 'auto'"),
    ):
        assert gr_tf("explain", *where, "--query=u1,?", *flags) == 1
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_criage(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    where = ("--dataset=nations", f"--run_dir={tmp_path / 'run'}", "--loss=sigmoid", "--epochs=2")
    assert gr_tf("explain", *where, "--query=poland,ngoorgs3,ussr", "--method=criage", "--k=2") == 0
    assert "CRIAGE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "ask a question with --query"),
        (
            ("--query=e1,r1",),
            "a question is head,relation,tail (one of the three may be ?), with quotes around a part that has a comma",
        ),
        (("--query=e1,,?",), "a question is head,relation,tail (one of the three may be ?)"),
        (("--query=,",), "a question is head,relation,tail (one of the three may be ?)"),
        (("--query=e99,r1,?",), "unknown entity 'e99': not in the training data"),
        (("--query=e1,r99,?",), "unknown relation 'r99'"),
        (("--query=e1,r1,nobody",), "unknown entity 'nobody'"),
        (("--query=?,r1,?",), "one of head, relation, and tail can be asked for, not several; got '?,r1,?'"),
        (("--query=?,?,e1",), "one of head, relation, and tail can be asked for, not several; got '?,?,e1'"),
        (
            ("--query=e1,r1,?", "--method=fia"),
            "rollback-all, tracin, nh for triples; got 'fia'",
        ),
        (("--query=e1,r1,?", "--method=criage"), "criage explains models trained with --loss=sigmoid"),
        (("--query=e1,r1,?", "--k=0"), "--k must be at least 1; got 0"),
        (("--query=e1,r1,?", "--verify", "--jobs=0"), "jobs"),
        (("--query=e1,r1,?", "--verify_seeds=0"), "verify_seeds"),
        (("--query=e1,r1,?", "--most_retrainings=0"), "most_retrainings"),
        (("--query=e1,r1,?", "--output=xml"), "--output=xml"),
        (("--query=e1,r1,?", "--dim=0"), "--dim must be from 1"),
        (("--query=e1,r1,?", "--dim=5"), "was begun with config.dim = 4"),
        (("--query=e1,r1,?", "--min_interactions=3"), "--min_interactions is not for triples"),
        (("--query=e1,r1,?", "--output=csv", "--verify"), "--output=csv has no place for what --verify"),
        (("--query=e1,r1,?", "--report=/tmp"), "/tmp: is the run's folder, or holds it: name a file."),
        (('--query=e1,"r1,?',), "a question is head,relation,tail (one of the three may be ?)"),
        (("--query=e1,r1,?", "--split_seed=7"), "was begun with split.seed = 0"),
        (("--query=e1,r1,?", "--weight_decay=0.1"), "--weight_decay is not for triples"),
        (("--query=e1,r1,?", "--report=/proc/none/why.html"), "/proc/none"),
        (("--query=e1,r1,?", "--data_dir=/no/such/folder"), "/no/such/folder: no such file or folder"),
        (("--query=e1,r1,?", "--run_dir=/proc/none"), "/proc/none"),
        (("stray",), "unexpected argument 'stray'"),
    ],
)
def test_mistakes(
    capsys: pytest.CaptureFixture[str],
    mine: pathlib.Path,
    flags: tuple[str, ...],
    message: str,
) -> None:
    """One line, and nothing of the run is touched."""
    where = (f"--data_dir={mine / 'data'}", f"--run_dir={mine / 'run'}", *QUICK)
    assert gr_tf("explain", *where, "--query=e1,r1,?", "--k=1") == 0
    before = {path: path.read_bytes() for path in (mine / "run").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert gr_tf("explain", *where, *flags) == 1
    error = capsys.readouterr().err.rstrip("\n")
    assert error.splitlines()[-1].startswith("gr_tf explain: error: ")
    assert message in error.splitlines()[-1]
    assert {path: path.read_bytes() for path in (mine / "run").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train.tsv", "", "train.tsv: empty"),
        ("train.csv", "from,rel,to\na,r,b\n", "train.csv: has no column head, tail"),
        ("train.csv", "head,relation,tail\na,r\n", "train.csv:2: want 3 fields"),
        ("train.tsv", "a\tr\tb\nc\tr\td\n", "no triple can be held out for valid"),
        ("ratings.csv", "user,item,rating\nu,i,many\n", "ratings.csv:2: the rating is not a finite number: 'many'"),
        ("ratings.csv", "user,item,rating\nu,i,3\n", "a lower --min_interactions keeps more"),
        ("sequences.txt", "u\ti\tj\nu\tk\n", "sequences.txt:2: user 'u' has a line already, line 1."),
        ("sequences.csv", "user,item,time\nu,i,noon\n", "sequences.csv:2: the time is not a finite number: 'noon'"),
        ("sequences.csv", "user,item\nu,i\n", "no user has at least 10 choices; a lower --min_interactions keeps more"),
        ("notes.md", "hello", "has none of train.csv, train.tsv, train.txt, train.parquet"),
    ],
)
def test_files_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    name: str,
    text: str,
    message: str,
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_text(text)
    where = (f"--data_dir={tmp_path / 'data'}", f"--run_dir={tmp_path / 'run'}")
    asked = "--query=a,r,?" if name.startswith(("train", "notes")) else "--query=u,i"
    assert gr_tf("explain", *where, asked) == 1
    error = capsys.readouterr().err.rstrip("\n").splitlines()
    assert len(error) == 1
    assert message in error[0]
    assert not (tmp_path / "run").exists()
