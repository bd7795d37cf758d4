"""What people ask: each question gives an answer, a check, and a page; or a line that says why not."""

import pathlib
import re

import numpy as np
import pandas as pd
import pytest

from tests.commands.program import gr_tf
from tests.conftest import write_graph

# The data; a question and other flags; what the page must say, or (in the second table) the line.
ANSWERED = [
    ("graph", ["--query=e1,r1,?"], "random related"),
    ("graph", ["--query=?,r1,e2"], "heads"),
    ("graph", ["--query=e1,?,e2"], "relations"),
    ("graph", ["--query=e1,r1,e2"], "Why <bdi>e2</bdi>"),
    ("graph", ["--query=e1,r1,?", "--rather_than=e2"], "rather than e2"),
    ("graph", ["--query=e1,r1,?", "--top=3"], "e1"),
    ("graph", ["--query=e1,r1,?", "--trainings=3"], "same sign in"),
    ("graph", ["--query=e1,r1,?", "--minimal", "--most_retrainings=6"], "The fewest it needs"),
    ("graph", ["--query=e1,r1,?", "--k=6", "--transfer=2"], "Do they carry the prediction over?"),
    ("graph", ["--group=test"], "What helps and what hurts"),
    ("graph", ["--group=relation:r1"], "relation r1"),
    ("ratings", ["--query=u1,?"], "The best answers that are not known already"),
    ("ratings", ["--query=u1,i2"], "stars"),
    ("ratings", ["--query=u1,The Third"], "The Third"),
    ("ratings", ["--query=u1,?", "--top=2", "--swap", "--most_retrainings=6"], "another item"),
    ("ratings", ["--query=u1,i2", "--rather_than=i3"], "rather than"),
    ("ratings", ["--group=user:u1"], "user u1"),
    ("ratings", ["--query=u1,i2", "--k=4", "--method=gr", "--transfer=2"], "given to others"),
    ("choices", ["--query=u1,?"], "The best answers that are not known already"),
    ("choices", ["--query=u1,?", "--top=2"], "u1"),
    ("choices", ["--query=u1,?", "--rather_than=i3"], "rather than"),
    ("sequences", ["--query=u1,?"], "What came before"),
    ("sequences", ["--query=i1,i2,?"], "What came before"),
    ("sequences", ["--query=i1,i2,?", "--rather_than=i5"], "rather than"),
    ("sequences", ["--group=best:u1,?"], "What helps and what hurts"),
]
REFUSED = [
    ("graph", ["--query=e1,?,?"], "one of head, relation, and tail can be asked for, not several"),
    ("graph", ["--query=e1,r1,e99"], "unknown entity 'e99'"),
    ("graph", ["--group=relation:r99"], "r99"),
    ("ratings", ["--query=?,i1"], "only the item can be asked for"),
    ("ratings", ["--query=rare,i1"], "at least 2 are needed: --min_interactions"),
    ("choices", ["--query=?,i1"], "item"),
    ("sequences", ["--query=i1,i2,?", "--transfer=2"], "sequences are not given away"),
    ("sequences", ["--query=nobody,?"], "nobody"),
]


def write_choices(folder: pathlib.Path, name: str, *, rated: bool) -> None:
    """16 users of two tastes who chose half of 14 items each, and one with a single choice; a title."""
    generator, rows = np.random.default_rng(3), []
    for user in range(16):
        liked = generator.permutation(14)[:9]
        rows += [
            (f"u{user}", f"i{item}", 1 + (2 * user + 3 * item) % 5, 100 + place) for place, item in enumerate(liked)
        ]
    rows.append(("rare", "i1", 3, 90))
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "time"])
    folder.mkdir()
    frame.drop(columns=[] if rated else ["rating"]).to_csv(folder / f"{name}.csv", index=False)
    pd.DataFrame({"item": ["i3"], "title": ["The Third"]}).to_csv(folder / "items.csv", index=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The flags of each kind of data, with a run's folder that all questions share."""
    folder = tmp_path_factory.mktemp("asked")
    write_graph(folder / "graph")
    write_choices(folder / "ratings", "ratings", rated=True)
    write_choices(folder / "choices", "choices", rated=False)
    write_choices(folder / "sequences", "sequences", rated=False)
    of_items = ["--min_interactions=2", "--dim=4", "--tune_minutes=0"]
    own = {
        "graph": ["--dim=4", "--epochs=4", "--tune_minutes=0"],
        "ratings": [*of_items, "--epochs=4"],
        "choices": [*of_items, "--kind=choices", "--epochs=4"],
        "sequences": [*of_items, "--epochs=4"],
    }
    return {
        kind: [f"--data_dir={folder / kind}", f"--run_dir={folder / 'runs' / kind}", *flags]
        for kind, flags in own.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "question", "told"), ANSWERED, ids=lambda one: str(one)[:60])
def test_an_answer_a_check_and_a_page(
    capsys: pytest.CaptureFixture[str],
    data: dict[str, list[str]],
    tmp_path: pathlib.Path,
    kind: str,
    question: list[str],
    told: str,
) -> None:
    page = tmp_path / "why.html"
    assert gr_tf("explain", *data[kind], "--k=3", *question, "--verify", f"--report={page}") == 0
    shown, html = capsys.readouterr().out, page.read_text(encoding="utf-8")
    assert "nan" not in re.findall(r"[a-z]+", shown)
    for part in ("Is the model any good", "nothing, but another seed", "random related"):
        assert part in shown
        assert part in html
    assert told in html
    assert len(html.encode()) < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "question", "told"), REFUSED, ids=lambda one: str(one)[:60])
def test_a_line_says_why_not(
    capsys: pytest.CaptureFixture[str], data: dict[str, list[str]], kind: str, question: list[str], told: str
) -> None:
    assert gr_tf("explain", *data[kind], *question) == 1
    assert told in capsys.readouterr().err.splitlines()[-1]
