"""Tables: our figures beside the paper's."""

import pathlib

import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2
from tensorflow.python.lib.io import tf_record

from gr_tf.data.sources import load_triples
from gr_tf.data.triples import TripleSet
from gr_tf.report.fia_tables import rq1_frame, rq2_frame
from gr_tf.report.published import TABLE_1
from gr_tf.report.removal_table import ranking_beside_paper, rows_beside_paper
from gr_tf.report.tables import as_markdown, as_text, ranking_frame, removal_frame
from gr_tf.runs import files
from gr_tf.runs.curves import Curves
from gr_tf.runs.progress import progress
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

SCORE = {
    **{"method": "GR", "k": "1", "n": 143, "mean_removed": 1.0},
    **{"pd": 93.0, "pd_interval": [87.6, 96.2], "tc": 37.8, "tc_interval": [30.2, 45.9]},
}


NATIONS = TripleTask(load_triples("nations"), TripleConfig())
RESULTS = pathlib.Path(__file__).parents[2] / "experiments" / "results"


def test_paper_stands_beside_ours(toy: TripleSet) -> None:
    evaluated = {"table": [SCORE]}
    frame = removal_frame(rows_beside_paper(evaluated, NATIONS))
    assert frame.iloc[0].tolist() == ["GR-1", "1.0", "93.0 [88, 96]", "93", "37.8 [30, 46]", "38", 143]
    for unknown in (TripleTask(toy, TripleConfig()), NATIONS.with_config(model="complex", loss="sigmoid")):
        assert removal_frame(rows_beside_paper(evaluated, unknown)).iloc[0]["paper PD%"] == "-"
    assert "GR-1" in as_text(frame)
    assert as_markdown(pd.DataFrame({"a": ["|x|"]})).splitlines()[2] == "| \\|x\\| |"
    assert as_markdown(frame).splitlines()[1] == "| --- | --- | --- | --- | --- | --- | --- |"


@pytest.mark.parametrize(("dataset", "paper"), [("movielens-1m", 0.98), ("fia-ml-1m", 0.98), ("movielens-100k", "-")])
def test_rq1_beside_the_paper(dataset: str, paper: object) -> None:
    """The authors' own split is the paper's dataset, too."""
    result = files.read_json(RESULTS / "fia_rq1_movielens-1m_mf.json", checked=False)
    frame = rq1_frame({**result, "dataset": dataset})
    assert frame["paper's"].tolist() == [paper, paper]
    assert frame["retrainings"].tolist() == [4, 4]
    assert frame["test points"].tolist() == ["40 random", "40 random"]


def test_rq2_of_one_point_or_more() -> None:
    result = files.read_json(RESULTS / "fia_rq2_movielens-1m_mf.json", checked=False)
    row = result["rows"][0]
    one = {"seconds": [2.0], "iterations": [22], "converged": [False], "residual": [0.25], "negative_curvature": 1}
    more = {
        **{"seconds": [2.0, 4.0], "iterations": [22, 37], "converged": [True, True], "residual": [1e-4, 2e-4]},
        "negative_curvature": 0,
    }
    told = []
    for ia in (one, more, {**more, "converged": [False, True]}):
        frame = rq2_frame(
            {**result, "rows": [{**row, "fia": {**row["fia"], "single": {"mean": 0.01, "sd": 0}}, "ia": ia}]}
        )
        told.append(frame[["IA", "IA / FIA"]].iloc[0].tolist())
    assert told == [
        ["2.0 s (22 products, 1 of 1 given up at residual 0.25)", "over 200"],
        ["3.0 +- 1.4 s (22 to 37 products, solved)", "300"],
        ["3.0 +- 1.4 s (22 to 37 products, 1 of 2 given up at residual 0.0001)", "over 300"],
    ]


def test_ranking() -> None:
    trained = {"quality": {"test": {"mrr": 0.588766, "hits_at_3": 0.75}}}
    frame = ranking_frame(ranking_beside_paper(trained, NATIONS))
    assert frame.values.tolist() == [["mrr", "58.88", "58.88"], ["hits_at_3", "75.00", "-"]]


def test_progress_prints_plain_lines_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("retraining", 4, done=1) as bar:
        bar.pass_over(1)
        bar.advance()
        bar.advance()
    printed = capsys.readouterr().err
    assert printed.startswith("retraining: 100% 4/4 [")
    assert "\r" not in printed
    assert printed.count("\n") == 1


def test_curves(tmp_path: pathlib.Path) -> None:
    with Curves(tmp_path) as curves:
        curves.add(2, {"train/loss": 0.5, "validation/mrr": 0.25})
    (path,) = tmp_path.iterdir()
    values = {}
    for record in tf_record.tf_record_iterator(str(path)):
        event = event_pb2.Event.FromString(record)
        for value in event.summary.value:
            values[value.tag] = (event.step, float(tf.make_ndarray(value.tensor)))
    assert values == {"train/loss": (2, 0.5), "validation/mrr": (2, 0.25)}


def test_published_figures_are_the_specs() -> None:
    """Corners of the spec's Table 1: MovieLens, ComplEx, GR; FB15k-237, DistMult, NH."""
    assert TABLE_1["movielens", "complex"]["GR"] == {"1": (73, 29), "10": (71, 48), "ALL": (100, 100)}
    assert TABLE_1["fb15k237", "distmult"]["NH"] == {"1": (59, 35), "10": (67, 45), "ALL": (83, 59)}
