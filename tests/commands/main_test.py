"""The program itself: help, what is unknown, and how long that takes."""

import pathlib
import subprocess
import sys

import pytest

from gr_tf.attribution.methods import methods_of
from gr_tf.commands import common, main
from gr_tf.tasks.kinds import KINDS
from tests.commands.program import ROOT, gr_tf, own_process


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        assert gr_tf(*arguments) == 0
        text = capsys.readouterr().out
        for command, what in main.COMMANDS.items():
            assert f"  {command}" in text
            assert what in text
            assert f"gr_tf {command} --" in text


def test_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert gr_tf("explian") == 1
    assert capsys.readouterr().err == (
        "gr_tf: error: unknown command 'explian': want one of explain, train, evaluate, merge, suspects, names, "
        "export. Did you mean 'explain'?\n"
    )


@pytest.mark.parametrize("command", main.COMMANDS)
def test_help_of_a_command(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert gr_tf(command, "--help") == 0
    text = capsys.readouterr().out
    assert f"gr_tf {command} --" in text
    assert "--run_dir=TEXT\n      Folder of the run." in text
    assert all(len(line) <= 120 for line in text.splitlines())
    if command in ("export", "merge", "names"):
        return
    for flag in (
        "--data_dir",
        "--[no]overwrite",
        "--dim",
        "--training_steps",
        "--patience",
        "--split_seed",
    ):
        assert f"  {flag}" in text
    assert ("  --damping" in text) == (command == "explain")
    if command in ("explain", "evaluate"):
        for kind in KINDS:
            section = text.partition(f"Methods for {kind}:\n")[2].partition("\n\n")[0]
            for name in methods_of(kind):
                assert f"  {name} " in section


def test_a_message_is_one_short_line() -> None:
    assert common.one_line("a\nb\0c\x1b[31m d\u00e9") == "a b\\x00c\\x1b[31m d\u00e9"
    assert common.one_line("x" * 1000) == "x" * 1000
    cut = common.one_line("a" * 50_000 + "z" * 50_000)
    assert cut == "a" * 480 + " ... (99,040 characters) ... " + "z" * 480


def test_help_loads_no_tensorflow() -> None:
    code = (
        "import sys\nfrom gr_tf.commands import main\n"
        "try:\n    main.main(['explain', '--help'])\n"
        "except SystemExit as done:\n    assert not done.code\n"
        "for slow in ('tensorflow', 'scipy', 'matplotlib', 'tensorboard', 'tensorflow_datasets'):\n"
        "    assert not any(name.startswith(f'{slow}.') for name in sys.modules), slow\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_traceback_from_a_real_process(tmp_path: pathlib.Path) -> None:
    for arguments, message in (
        (("--dim=0",), "--dim must be from 1 to 16384; got 0."),
        (("--loss2=softmax",), "Unknown command line flag 'loss2'. Did you mean: loss ?"),
    ):
        done = own_process("train", f"--run_dir={tmp_path / 'run'}", "--dataset=nations", *arguments, folder=tmp_path)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.splitlines() == [f"gr_tf train: error: {message}"]
    assert not list(tmp_path.iterdir())
