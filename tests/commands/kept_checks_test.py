"""`gr_tf explain` keeps what checks train: an interrupted command continues, and says so only where it is true."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from gr_tf.asking import checker
from gr_tf.evaluation import kept_retrainings
from tests.asking.counted import Counter
from tests.commands.program import ROOT, gr_tf, own_process
from tests.conftest import write_graph

CONTINUES = "Interrupted. The same command, without --overwrite, continues where it stopped."
BEGINS_ANEW = "Interrupted. There is no folder to keep what it did: the same command begins anew."
# Ctrl-C reaches a process that is started in the background, too.
_HEARS_CTRL_C = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "


class Commands(Counter):
    """Gives commands, and counts the trainings of their checks."""

    def explain(self, *arguments: object, most: int | None = None) -> tuple[int, int]:
        """The exit status of a command, and how many trainings its checks did."""
        self.begin(most)
        return gr_tf("explain", *arguments), self.done


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    counted, hears = Commands(), signal.getsignal(signal.SIGINT)
    for module in (checker, kept_retrainings):
        monkeypatch.setattr(module, "retrain", counted.retrain)
    yield counted
    signal.signal(signal.SIGINT, hears)  # After an interruption a second one ends the process.


def test_an_interrupted_check_continues(
    tmp_path: pathlib.Path, counter: Commands, capfd: pytest.CaptureFixture[str]
) -> None:
    write_graph(tmp_path / "graph")
    where = (f"--data_dir={tmp_path / 'graph'}", "--dim=4", "--epochs=3", "--jobs=1")
    asked = ("--query=e1,r1,?", "--k=2", "--verify", "--verify_seeds=3", "--minimal", "--most_retrainings=5")
    run = (f"--run_dir={tmp_path / 'run'}", *where, *asked)
    status, total = counter.explain(f"--run_dir={tmp_path / 'other'}", *where, *asked)
    whole = capfd.readouterr().out
    assert status == 0
    assert counter.explain(*run, most=4) == (130, 4)
    assert CONTINUES in capfd.readouterr().err
    assert counter.explain(*run) == (0, total - 4)
    assert capfd.readouterr().out == whole
    # Asked again, to add a page, and with --overwrite, which is then for the page.
    page = f"--report={tmp_path / 'why.html'}"
    for more in ((page,), (page, "--overwrite")):
        assert counter.explain(*run, *more) == (0, 0)
        assert capfd.readouterr().out == whole
    # By the run's folder alone.
    assert counter.explain(f"--run_dir={tmp_path / 'run'}", *asked, "--jobs=2") == (0, 0)
    # --overwrite without a page is for the model, and its checks.
    assert counter.explain(*run, "--overwrite") == (0, total)
    assert capfd.readouterr().out.endswith(whole)


def test_a_given_model_has_no_folder(
    tmp_path: pathlib.Path, counter: Commands, capfd: pytest.CaptureFixture[str]
) -> None:
    write_graph(tmp_path / "graph")
    model, generator = tmp_path / "model", np.random.default_rng(0)
    model.mkdir()
    for name, letter, count in (("entities", "e", 9), ("relations", "r", 4)):
        np.save(model / f"{name}.npy", generator.normal(size=(count, 4)))
        (model / f"{name}.tsv").write_text("".join(f"{place}\t{letter}{place}\n" for place in range(count)))
    where = (f"--model_dir={model}", f"--data_dir={tmp_path / 'graph'}", "--model=distmult", "--convention=pykeen")
    asked = ("--query=e1,r1,?", "--k=2", "--verify", "--epochs=1")
    assert counter.explain(*where, *asked, most=1) == (130, 1)
    assert BEGINS_ANEW in capfd.readouterr().err
    # What is said of one command is not said of the next.
    run = (f"--data_dir={tmp_path / 'graph'}", f"--run_dir={tmp_path / 'run'}", "--dim=4")
    assert counter.explain(*run, *asked, most=1) == (130, 1)
    assert CONTINUES in capfd.readouterr().err


def test_a_folder_that_cannot_be_written(
    tmp_path: pathlib.Path, counter: Commands, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_graph(tmp_path / "graph")
    run = (f"--data_dir={tmp_path / 'graph'}", f"--run_dir={tmp_path / 'run'}", "--dim=4", "--epochs=2")
    asked = ("--query=e1,r1,?", "--k=2", "--verify")
    assert gr_tf("train", *run) == 0
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert counter.explain(*run, *asked, most=1) == (130, 1)
    assert BEGINS_ANEW in capfd.readouterr().err
    assert not (tmp_path / "run" / "checks").exists()


@pytest.mark.slow
def test_ctrl_c_on_nations(tmp_path: pathlib.Path) -> None:
    """As a user does it: one command, stopped by a signal while it trains."""
    asked = ("explain", "--dataset=nations", "--query=china,exports3,?", "--k=3", "--verify", "--verify_seeds=6")
    settings = ("--tune_minutes=0", "--jobs=2")
    once = own_process(*asked, *settings, "--run_dir=once", folder=tmp_path)
    journal = tmp_path / "run" / "checks" / "retrainings.jsonl"
    run = [sys.executable, "-c", f"{_HEARS_CTRL_C}runpy.run_module('gr_tf', run_name='__main__')"]
    started = subprocess.Popen(
        [*run, *asked, *settings, "--run_dir=run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while started.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 5):
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=60)
    assert (started.returncode, told.splitlines()[-1]) == (130, CONTINUES)
    kept = journal.read_bytes()
    whole = (tmp_path / "once" / "checks" / "retrainings.jsonl").read_bytes().count(b"\n")
    assert 5 <= kept.count(b"\n") < whole
    done = own_process(*asked, *settings, "--run_dir=run", folder=tmp_path)
    assert (done.returncode, done.stdout) == (once.returncode, once.stdout) == (0, done.stdout)
    assert journal.read_bytes().startswith(kept)
    assert journal.read_bytes().count(b"\n") == whole
