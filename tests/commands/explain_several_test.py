"""The command's questions about several predictions: why not another answer, and groups."""

import json
import pathlib

import pytest

from tests.commands.program import gr_tf
from tests.conftest import write_graph

QUICK = ("--dim=4", "--epochs=3")


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("several")
    write_graph(folder / "data")
    return f"--data_dir={folder / 'data'}", f"--run_dir={folder / 'run'}", *QUICK


def test_why_not_and_a_group(
    capsys: pytest.CaptureFixture[str], where: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    asked = ("--query=e1,r1,?", "--rather_than=e2", "--k=2", "--verify", "--verify_seeds=2")
    assert gr_tf("explain", *where, *asked, f"--report={tmp_path / 'why.html'}") == 0
    text = capsys.readouterr().out
    for part in (
        "(e1, r1, ?): the most probable that are not known already",
        ", and e2 a probability of ",
        "Explained is the difference, ",
        " rather than e2? Gradient Rollback",
        "What speaks for e2 rather than ",
        "connection with the other",
        "The difference (probability of ",
    ):
        assert part in text
    assert " rather than e2?</title>" in (tmp_path / "why.html").read_text(encoding="utf-8")
    group = ("--group=relation:r1", "--k=2", "--verify")
    assert gr_tf("explain", *where, *group, "--nocontrols") == 0
    text = capsys.readouterr().out
    for part in (
        "What helps and what hurts the held-out questions with relation r1? Gradient Rollback",
        " questions. Explained is the mean probability of their answers, ",
        "\nWhat helps most:\n",
        "lower for",
        "The mean probability of each training:",
    ):
        assert part in text
    assert "(chance)" not in text
    assert gr_tf("explain", *where, *group, "--output=json", "--trainings=2") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["questions"] > 1
    assert [check["questions"] for check in told["checks"]] == [told["questions"]] * len(told["checks"])
    assert "same sign in" in told["proponents"][0]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--query=e1,r1,?", "--rather_than=e99"), "unknown entity 'e99'"),
        (("--query=e1,r1,?", "--rather_than=?"), "rather_than must name one answer; got '?'"),
        (("--group=test", "--query=e1,r1,?"), "--group asks many questions, --query is about one"),
        (("--group=test", "--rather_than=e2"), "--group asks many questions, --rather_than is about one"),
        (("--rather_than=e2",), "ask a question with --query=head,relation,tail"),
        (("--group=relation:r99",), "no held-out question (validation, test) has the relation 'r99'"),
        (("--group=best:?,r1,e2", "--loss=sigmoid", "--method=criage"), "criage explains tails only"),
        (("--query=e1,r1,?", "--rather_than=e2", "--k=0"), "k must be at least 1"),
        (("--group=test", "--minimal"), "a group has none to change to"),
        (("--group=nothing.csv",), "nothing.csv: cannot be read"),
    ],
)
def test_mistakes_before_any_training(
    capsys: pytest.CaptureFixture[str],
    where: tuple[str, ...],
    tmp_path: pathlib.Path,
    flags: tuple[str, ...],
    told: str,
) -> None:
    new = [flag for flag in where if not flag.startswith("--run_dir")]
    assert gr_tf("explain", *new, f"--run_dir={tmp_path / 'new'}", *flags) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert told in line
    assert not (tmp_path / "new").exists()
