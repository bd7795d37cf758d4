"""`gr_tf evaluate --scores`: influences from anywhere on the leaderboard of an atlas."""

import io
import json
import pathlib

import numpy as np
import pandas as pd
import pytest

from gr_tf.data.triples import TripleSet
from gr_tf.evaluation.atlas_scores import Scoring
from tests.commands.program import gr_tf
from tests.evaluation.toy_atlas import CONFIG, QUERIES, write_atlas


@pytest.fixture
def atlas(toy: TripleSet, tmp_path: pathlib.Path) -> pathlib.Path:
    return write_atlas(tmp_path, toy)


def test_from_the_order_to_the_leaderboard(
    capsys: pytest.CaptureFixture[str],
    toy: TripleSet,
    graph_folder: pathlib.Path,
    atlas: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    where = (f"--data_dir={graph_folder}", f"--atlas={atlas}")
    order = tmp_path / "order"
    assert gr_tf("evaluate", *where, f"--order_dir={order}") == 0
    written = capsys.readouterr()
    assert written.out == ""
    assert "queries.csv, the 5 rows of --scores; examples.csv, the 60 columns" in written.err
    queries, examples = (pd.read_csv(order / f"{name}.csv", index_col=0) for name in ("queries", "examples"))
    assert queries.index.tolist() == list(range(5))
    assert queries.iloc[1].to_list() == list(toy.names_of(QUERIES[1]))
    pd.testing.assert_frame_equal(examples, toy.train_frame, check_names=False, check_dtype=False)
    model = json.loads((order / "model.json").read_text())
    assert model["kind"] == "triples"
    assert model.items() >= CONFIG.to_dict().items()
    # No file is replaced unasked.
    assert gr_tf("evaluate", *where, f"--order_dir={order}") == 1
    assert "queries.csv: exists already. Pass --overwrite" in capsys.readouterr().err
    assert gr_tf("evaluate", *where, f"--order_dir={order}", "--overwrite") == 0
    capsys.readouterr()

    # Somebody's matrix, made of names: 1 for examples with the query's relation, and a little of the tail.
    mine = np.array(
        [
            (examples["relation"] == relation) + 0.5 * (examples["tail"] == tail) + 0.1 * (examples["head"] == head)
            for head, relation, tail in queries.itertuples(index=False)
        ]
    )
    np.save(tmp_path / "mine.npy", mine)
    asked = (*where, f"--scores={tmp_path / 'mine.npy'}")
    assert gr_tf("evaluate", *asked, "--output=json") == 0
    board = json.loads(capsys.readouterr().out)
    scoring = Scoring.read(atlas, toy)
    (own,) = (row for row in board["rows"] if row["method"] == "mine.npy")
    assert {stratum: own[stratum] for stratum in scoring.masks} == scoring.score(mine)
    assert board["yours"] == "mine.npy"

    assert gr_tf("evaluate", *asked, "--output=csv") == 0
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out)).set_index("method")
    assert frame.loc["mine.npy", "adjacent, low"] == pytest.approx(own["adjacent"][1])
    assert len(frame) == len(board["rows"])

    assert gr_tf("evaluate", *asked) == 0
    printed = capsys.readouterr().out
    assert "->" in printed
    assert "mine.npy less the graph's shape alone, which needs no model: shared >= 2 " in printed
    assert gr_tf("evaluate", *where) == 0
    printed = capsys.readouterr().out
    assert "mine" not in printed
    assert "graph's shape" in printed
    assert "nh" in printed


def test_what_is_wrong_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str],
    toy: TripleSet,
    graph_folder: pathlib.Path,
    atlas: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    where = (f"--data_dir={graph_folder}", f"--atlas={atlas}")
    np.save("short.npy", np.zeros((5, 59)))
    far = np.random.default_rng(0).normal(size=(5, 60))
    far[2, Scoring.read(atlas, toy).masks["shared >= 2"][2]] = 0
    np.save("far.npy", far)
    (tmp_path / "text.npz").write_text("no atlas")
    for given, message in (
        ((*where, "--scores=short.npy"), "short.npy: want influences of 5 queries (rows) and 60 training examples"),
        ((*where, "--scores=far.npy"), "far.npy: the scores of query 2 are all 0.0: they rank nothing."),
        ((*where, "--scores=none.npy"), "none.npy: no such file."),
        ((f"--atlas={atlas}", "--dataset=nations"), "is an atlas of another dataset than nations: its data, 'toy', "),
        (("--scores=far.npy",), "atlas_nations_distmult.npz: no such file: name an atlas with --atlas; those of"),
        (("--atlas=text.npz", where[0]), "text.npz: not an atlas: "),
        ((*where, "--dim=3"), "--dim is for a training, and nothing is trained here."),
        ((*where, "--overwrite"), "--overwrite is for a training, and nothing is trained here."),
        ((*where, "--ks=1"), "--ks is for removing and retraining, not for --scores, --atlas, or --order_dir."),
        ((*where, "--jobs=1"), "--jobs is for removing and retraining, not for"),
        ((*where, "--order_dir=here", "--output=json"), "--output is for --scores, and --order_dir writes CSV; got"),
        ((where[0], "--output=json"), "--output is for --scores; got --output=json."),
    ):
        assert gr_tf("evaluate", *given) == 1, given
        error = capsys.readouterr().err.splitlines()[-1]  # Below what the reader notes.
        assert error.startswith("gr_tf evaluate: error: ")
        assert message in error
    assert not pathlib.Path("here").exists()
