"""Messages name arguments in Python and flags on the command line, and leave alone what the user wrote."""

import ast
import pathlib
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gr_tf
from gr_tf.asking.asker import Asker
from gr_tf.asking.checker import Checker
from gr_tf.asking.confirmed import check_seeds
from gr_tf.asking.groups import group_of
from gr_tf.attribution import methods
from gr_tf.data.columns import how_to_name
from gr_tf.data.ratings import RatingSet, RatingSplit, make_rating_set
from gr_tf.data.triples import HEAD, Query, TripleSet
from gr_tf.errors import DamagedError, InputError, argument, short, whole_number
from gr_tf.models.foreign import Layout
from gr_tf.runs.outputs import check_output
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.given_embeddings import layout_of
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.triple_config import TripleConfig

PACKAGE = pathlib.Path(gr_tf.__file__).parent
# What looks like a flag and is none: arguments of git and of TensorFlow's compiler, and colours of pages.
NO_FLAGS = re.compile(r"--(?:short|porcelain|xla\w*|for|against|soft|text|panel)\b")
FLAG = re.compile(r"(?<![\w-])--[a-z]")
# Titles of methods are in README, too, for people who run commands.
IN_TITLES = "for --loss=sigmoid"


@pytest.mark.parametrize(
    ("told", "in_python", "on_command_line"),
    [
        (argument("data_dir"), "data_dir", "--data_dir"),
        (argument("verify_seeds", 2), "verify_seeds=2", "--verify_seeds=2"),
        (argument("batch_size", 1), "batch_size=1", "--batch_size=1"),
        (argument("method", "gr"), "method='gr'", "--method=gr"),
        (argument("model_loss", "mse", "bce"), "model_loss='mse' or 'bce'", "--model_loss=mse or bce"),
        (argument("order", "a", "b", "c"), "order='a', 'b', or 'c'", "--order=a, b, or c"),
        (argument("overwrite", True), "overwrite=True", "--overwrite"),
        (argument("controls", False), "controls=False", "--nocontrols"),
        (argument("seeds", flag="verify_seeds"), "seeds", "--verify_seeds"),
        (argument("steps", 3, flag="training_steps"), "steps=3", "--training_steps=3"),
    ],
)
def test_an_argument_has_two_names(told: str, in_python: str, on_command_line: str) -> None:
    for kind in (InputError, DamagedError):
        # What the user wrote may look like a flag, or like a template.
        error = kind(f"my --data_dir={{x}}\\1: take {told}, or {argument('k')}.")
        for one in (error, pickle.loads(pickle.dumps(error))):
            assert str(one) == f"my --data_dir={{x}}\\1: take {in_python}, or k."
            assert one.args == (str(one),)
            assert one.on_command_line == f"my --data_dir={{x}}\\1: take {on_command_line}, or --k."
            wider = InputError(f"here:3: {one.marked}")
            assert str(wider) == f"here:3: {one}"
            assert wider.on_command_line == f"here:3: {one.on_command_line}"


def test_a_message_without_arguments_is_the_same_everywhere() -> None:
    error = InputError("x.csv:3: empty.")
    assert str(error) == error.on_command_line == error.marked == "x.csv:3: empty."


@pytest.mark.parametrize("value", [1.5, 2.0, None, "3", True, float("nan"), pd.Series([1, 2])], ids=str)
def test_what_is_no_whole_number_is_told(value: object) -> None:
    with pytest.raises(InputError) as caught:
        whole_number("n", value, flag="top")
    assert str(caught.value) == f"n must be a whole number; got {short(value)}."
    assert caught.value.on_command_line == f"--top must be a whole number; got {short(value)}."
    assert "\n" not in str(caught.value)


def test_whole_numbers() -> None:
    for good in (2, np.int64(2), np.int32(3)):
        found = whole_number("n", good, 2)
        assert (found, type(found)) == (good, int)
    with pytest.raises(InputError, match=r"^n must be at least 2 for this; got 1\.$"):
        whole_number("n", 1, 2, why=" for this")


def test_what_is_shown_is_one_line() -> None:
    assert short(pd.Series([1, 2])) == "0 1 1 2 dtype: int64"
    assert short("a  b\nc") == r"'a  b\nc'"
    assert short("x" * 99) == f"'{'x' * 59}... (101 characters)"


def test_no_text_below_the_commands_has_a_flag() -> None:
    """A message that names a flag does so by `argument`."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
        docs = {id(node.body[0].value) for node in documented if node.body and isinstance(node.body[0], ast.Expr)}
        for node in ast.walk(tree):
            # A value within an f-string stands for any text.
            parts = node.values if isinstance(node, ast.JoinedStr) else [node] if id(node) not in docs else []
            texts = [part.value if isinstance(part, ast.Constant) else "x" for part in parts]
            text = "".join(str(text) for text in texts) if any(isinstance(part, ast.Constant) for part in parts) else ""
            if "commands" not in path.parts and FLAG.search(NO_FLAGS.sub("", text).replace(IN_TITLES, "")):
                found.append(f"{path.name}: {text}")
    # `argument` itself writes dashes.
    assert [told for told in found if not told.startswith("errors.py")] == []


def frame(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(columns)


FOLDER = pathlib.Path("/no/such")
# What is refused, and what the message must name; a dataset of triples and one of ratings are at hand.
PROVOKED: list[tuple[Callable[[Trained, RatingSet, pathlib.Path], Any], str, str]] = [
    (lambda *_: gr_tf.load_triples("natoins"), "or data_dir with", "or --data_dir with"),
    (lambda *_: gr_tf.load_ratings("netflix"), "with data_dir.", "with --data_dir."),
    (lambda *_: gr_tf.load_ratings("yelp"), "with data_dir.", "with --data_dir."),
    (lambda *_: gr_tf.ask(run_dir=FOLDER), "with data_dir or dataset.", "with --data_dir or --dataset."),
    (
        lambda *_: gr_tf.ask(dataset="nations", kind="ratings"),
        "kind must be triples for nations",
        "--kind must be triples for nations",
    ),
    (lambda *_: gr_tf.ask(dataset="nations", model="mf"), "model must be one of", "--model must be one of"),
    (lambda *_: gr_tf.ask(dataset="nations", tune_minutes=float("nan")), "tune_minutes must", "--tune_minutes must"),
    (
        lambda *_: gr_tf.load_ratings(frame(user=["a"], item=["b"], rating=[3])),
        "a lower min_interactions keeps",
        "a lower --min_interactions keeps",
    ),
    (
        lambda *_: gr_tf.load_sequences(frame(user=["a", "b"], item=["b", "c"], time=[0, 0])),
        "a lower min_interactions keeps",
        "a lower --min_interactions keeps",
    ),
    (lambda *_: RatingConfig(steps=0), "steps must be", "--training_steps must be"),
    (lambda *_: RatingSplit(seed=-1), "seed must be", "--split_seed must be"),
    (lambda *_: TripleConfig(loss="hinge"), "loss must be one of", "--loss must be one of"),
    (
        lambda *_: TripleConfig(constraint="clip", steps="rows"),
        "constraint must be one of",
        "--constraint must be one of",
    ),
    (lambda trained, *_: Asker(trained).answer("e1,r1,?", k=1.5), "k must be a whole", "--k must be a whole"),  # type: ignore[arg-type]
    (lambda *_: check_seeds(2), "seeds must be at least 3", "--verify_seeds must be at least 3"),
    (lambda trained, *_: Checker(trained, 3), "takes no retraining_length", "takes no --retraining_steps"),
    (lambda trained, *_: Asker(trained).answer("e1,r1,?", "fia"), "method must be", "--method must be"),
    (lambda trained, *_: Asker(trained).answer("e1,r1,?", k=0), "k must be", "--k must be"),
    (lambda trained, *_: Asker(trained).answer("e1,r1,?", trainings=0), "trainings must", "--trainings must"),
    (
        lambda trained, *_: Asker(trained).answer("e1,r1,e2", rather_than="e2"),
        "rather_than must name another",
        "--rather_than must name another",
    ),
    (lambda trained, *_: methods.explainer(trained, "criage"), "with loss='sigmoid'", "with --loss=sigmoid"),
    (
        lambda trained, *_: methods.method_of("triples", "criage").check_query(Query(0, 0, 1, HEAD)),
        "use method='gr'",
        "use --method=gr",
    ),
    (lambda *_: methods.method_for("triples", "gr", given=True), "use method='tracin'", "use --method=tracin"),
    (
        lambda trained, *_: trained.task.ranks_in_both(trained.parameters.table, trained.task.dataset.test),
        "train with reciprocal=True",
        "train with --reciprocal",
    ),
    (
        lambda trained, ratings, _: RatingTask(ratings, RatingConfig(dim=2, batch_size=40)).rolled_back(
            trained.parameters, trained.parameters.table
        ),
        "needs optimizer='sgd' or 'adagrad', or batch_size=1",
        "needs --optimizer=sgd or adagrad, or --batch_size=1",
    ),
    (
        lambda trained, ratings, _: make_rating_set(
            "x", frame(user=["--k"] * 3 + ["v"] * 3, item=list("abcabd"), rating=[1.0] * 6), {}, RatingSplit()
        ),
        "a lower min_interactions keeps",
        "a lower --min_interactions keeps",
    ),
    (lambda *rest: check_output(rest[2] / "there", overwrite=False), "Pass overwrite=True", "Pass --overwrite"),
    (lambda *rest: RunDir.begin(rest[2] / "run", {"dim": 3}), "another run_dir.", "another --run_dir."),
    (lambda *_: layout_of(FOLDER, {}), "with model='distmult', ", "with --model=distmult, "),
    (lambda *_: Layout(model="distmult", convention="pykeen", norm=1), "norm is of", "--norm is of"),
]


@pytest.mark.parametrize(("provoke", "in_python", "on_command_line"), PROVOKED)
def test_errors_speak_python_in_python(
    trained: Trained,
    toy_ratings: RatingSet,
    tmp_path: pathlib.Path,
    provoke: Callable[[Trained, RatingSet, pathlib.Path], Any],
    in_python: str,
    on_command_line: str,
) -> None:
    (tmp_path / "there").write_text("x")
    with RunDir.begin(tmp_path / "run", {"dim": 2}):
        pass
    with pytest.raises(InputError) as caught:
        provoke(trained, toy_ratings, tmp_path)
    assert in_python in str(caught.value)
    assert "--" not in str(caught.value)
    assert on_command_line in caught.value.on_command_line
    assert "\n" not in str(caught.value)


def test_columns_are_named_in_both_ways() -> None:
    error = InputError(how_to_name(["x"], ("head", "tail")))
    assert str(error).endswith("with columns='head:NAME,tail:NAME'.")
    assert error.on_command_line.endswith("with --columns=head:NAME,tail:NAME.")


def test_a_line_of_a_table_keeps_both_names(toy: TripleSet, tmp_path: pathlib.Path) -> None:
    """A message inside another one."""
    task = TripleTask(toy, TripleConfig(dim=2, num_negatives=2, epochs=1))
    path = tmp_path / "asked.csv"
    path.write_text("head,relation,tail\ne1,r1,--k\n")
    with pytest.raises(InputError, match=r"asked.csv:2: unknown entity '--k'") as caught:
        group_of(task, str(path))
    assert caught.value.on_command_line == str(caught.value)
