"""Measures what the design saves: times each piece beside the plain way, in one run, and prints ratios.

python -m experiments.benchmark

Every case runs in a process of its own, one after the other, so that its peak memory is its own.
Compilation is not timed: each case warms up first.
"""

import functools
import json
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from absl import flags

from experiments import benchmark_engines
from experiments.benchmark_cases import CASES
from gr_tf.commands import common, run_flags
from gr_tf.errors import InputError, short
from gr_tf.report.tables import as_text
from gr_tf.runs import files
from gr_tf.runs.machine import peak_memory_bytes
from gr_tf.runs.made_with import made_with
from gr_tf.runs.outputs import check_output

_CASE = flags.DEFINE_enum("case", None, list(CASES), "Measure this case only and print it as JSON.")
_OUTPUT = flags.DEFINE_string(
    "result_file", None, "Also write the result as JSON to this file; until then its rows are in FILE.part."
)
_ROWS = flags.DEFINE_list("rows", None, "Only the rows whose names have one of these texts. Default: all.")
flags.declare_key_flag(run_flags.OVERWRITE.name)


class Comparison(NamedTuple):
    """One row of the benchmark: two cases, and the ratio that was aimed for, or None."""

    what: str
    unit: str
    plain: str
    ours: str
    target: float | None = None


_DETERMINISM = "operations that are deterministic"
# A target below 1 says how much slower ours may be.
_TRACKING = 1 / 1.15
COMPARISONS = (
    Comparison("training with tracking", "us a step", "train_plain", "train_ours", 50),
    Comparison("explaining a query", "ms a query", "explain_plain", "explain_ours", 200),
    Comparison("many retrainings", "s", "retrain_one_core", "retrain_all_cores", 1.7),
    Comparison("tracking, or not", "us a step", "train_untracked", "train_ours", _TRACKING),
    Comparison("4 models in one graph, or 1", "us a step and model", "dense_stacked_1", "dense_stacked_4", 1),
    Comparison("FB15k-237's shape: training with tracking", "us a step", "fb_plain", "fb_rows", 66),
    Comparison("FB15k-237's shape: row Adam for dense Adam", "us a step", "fb_dense", "fb_rows", 5.8),
    Comparison("FB15k-237's shape: tracking, or not", "us a step", "fb_untracked", "fb_rows", _TRACKING),
    Comparison("FB15k-237's shape: batches, or single triples", "us an example", "fb_rows", "fb_batches", 25.8),
    Comparison(
        "FB15k-237's shape: tracking in batches, or not",
        "us an example",
        "fb_batches_untracked",
        "fb_batches",
        _TRACKING,
    ),
    Comparison(
        "FB15k-237's shape: 2 models in one graph, or 1", "us a step and model", "fb_stacked_1", "fb_stacked_2", 1
    ),
    Comparison(
        "FB15k-237's shape: 8 models in one graph, or 1", "us a step and model", "fb_stacked_1", "fb_stacked_8", 1
    ),
    Comparison("FB15k-237's shape: explaining a query", "s a query", "fb_explain_plain", "fb_explain_ours", 200),
    Comparison("MovieLens' shape: explaining a query", "s a query", "ml_explain_plain", "ml_explain_ours", 200),
    Comparison("FB15k-237's shape: an answer, or all influences", "s an answer", "fb_answer_all", "fb_answer", 7),
    Comparison("WN18RR's shape: an answer, or all influences", "s an answer", "wn_answer_all", "wn_answer", 5),
    Comparison("MF training", "us a step", "mf_train_plain", "mf_train_ours"),
    Comparison("NCF training", "us a step", "ncf_train_plain", "ncf_train_ours"),
    Comparison("MF at batch size 1: training (ours tracks)", "us a step", "mf_single_plain", "mf_single_tracked"),
    Comparison("MF at batch size 1: tracking, or not", "us a step", "mf_single_untracked", "mf_single_tracked"),
    Comparison("NCF at batch size 1: training (ours tracks)", "us a step", "ncf_single_plain", "ncf_single_tracked"),
    Comparison("FIA of MF: the explicit block for Newton-CG", "ms a point", "mf_fia_newton", "mf_fia_direct"),
    Comparison("FIA of NCF: the explicit block for Newton-CG", "ms a point", "ncf_fia_newton", "ncf_fia_direct"),
    Comparison("FIA of MF: in a batch", "ms a point", "mf_fia_direct", "mf_fia_batch"),
    Comparison("FIA of NCF: in a batch", "ms a point", "ncf_fia_direct", "ncf_fia_batch"),
    Comparison("TracIn of an LSTM: forward mode", "us a sequence", "tracin_explicit", "tracin_forward_mode"),
    Comparison(
        "TracIn of an LSTM: scores, or losses only", "us a sequence", "tracin_loss", "tracin_forward_mode", 1 / 4
    ),
    Comparison("MF: many retrainings", "s", "mf_retrain_one_core", "mf_retrain_all_cores", 1.7),
    Comparison(
        f"FB15k-237's shape, batches: {_DETERMINISM}", "us an example", "fb_batches", "fb_batches_deterministic"
    ),
    Comparison(f"MF: {_DETERMINISM}", "us a step", "mf_train_ours", "mf_deterministic"),
    Comparison(f"NCF: {_DETERMINISM}", "us a step", "ncf_train_ours", "ncf_deterministic"),
    *(Comparison(what, "s", threads, engine) for what, threads, engine in benchmark_engines.COMPARED),
)


@functools.cache
def measure(case: str) -> dict[str, float]:
    """Runs a case in a process of its own.

    Returns:
        "value", and "peak_mb", the process's peak resident memory.
    """
    command = [sys.executable, "-m", "experiments.benchmark", f"--case={case}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"case {case} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def asked_rows(texts: Sequence[str] | None) -> list[Comparison]:
    """The comparisons whose names have one of the texts; None: all.

    Raises:
        InputError: if no name has a text.
    """
    for text in texts or ():
        if not any(text in one.what for one in COMPARISONS):
            raise InputError(f"--rows: no row's name has {short(text)}.")
    return [one for one in COMPARISONS if texts is None or any(text in one.what for text in texts)]


def frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Shows the rows."""
    table = pd.DataFrame(rows).astype({"aimed for": object})
    return table.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value).replace(
        {None: "-", "nan": "-"}
    )


def main() -> None:
    if _CASE.value is not None:
        print(json.dumps({"value": CASES[_CASE.value](), "peak_mb": peak_memory_bytes() / (1 << 20)}))
        return
    asked = asked_rows(_ROWS.value)
    output = None if _OUTPUT.value is None else pathlib.Path(_OUTPUT.value)
    if output is not None:
        check_output(output, overwrite=run_flags.OVERWRITE.value)
    # What a killed benchmark leaves does not look like a whole one, nor replaces it.
    part = None if output is None else output.with_name(f"{output.name}.part")
    rows: list[dict[str, Any]] = []
    for comparison in asked:
        plainly, ours = measure(comparison.plain), measure(comparison.ours)
        rows.append(
            {
                "what": comparison.what,
                "unit": comparison.unit,
                "plain": plainly["value"],
                "ours": ours["value"],
                "times faster": plainly["value"] / ours["value"],
                "aimed for": comparison.target,
                "plain peak MB": plainly["peak_mb"],
                "ours peak MB": ours["peak_mb"],
            }
        )
        print(f"{comparison.what}: {rows[-1]['times faster']:.1f} times faster", file=sys.stderr)
        if part is not None:
            files.write_json(part, {"made_with": made_with(), "rows": rows})
    print(as_text(frame(rows)))
    if part is not None and output is not None:
        part.rename(output)


if __name__ == "__main__":
    common.start(main)
