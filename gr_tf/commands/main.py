"""The program `gr_tf`: finds the command, prints help, starts. Nothing slow is imported for help."""

import difflib
import importlib
import sys
import types
from collections.abc import Sequence

from gr_tf.commands import common, help_text
from gr_tf.errors import InputError, short
from gr_tf.runs import streams

COMMANDS = {
    "explain": "why a model of your data predicts something, and whether the explanation holds",
    "train": "trains a model, and says how good it is",
    "evaluate": "removes what explanations name, trains again, and compares the methods",
    "merge": "joins what shards did: parts of one command's retrainings, on any machines",
    "suspects": "which training examples look like mistakes",
    "names": "searches the names in your data, and what people call them",
    "export": "writes the embeddings for numpy, TensorBoard and tf.train",
}
_HELP = ("--help", "-help", "-h", "--h", "--helpshort")
_USAGE = f"""\
gr_tf: which training examples made an embedding model predict this, and is that true?

{help_text.table(COMMANDS)}

Data: triples (train.csv with head, relation, tail), ratings (ratings.csv with user, item, rating), or sequences
(sequences.csv with user, item, time) in a folder of yours; or a dataset by name. For example:

  gr_tf explain --data_dir=my/folder --query="poland,ngoorgs3,?" --verify
  gr_tf train --dataset=nations --run_dir=runs/nations
  gr_tf evaluate --run_dir=runs/nations --ks=1,10
  gr_tf merge --run_dir=runs/nations
  gr_tf suspects --data_dir=my/ratings --k=20
  gr_tf names --data_dir=my/folder --search=beij
  gr_tf export --run_dir=runs/nations

`gr_tf COMMAND --help` lists a command's flags."""


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command.

    Args:
        argv: the command and its flags; default: the process's.
    """
    command, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if command in _HELP:
        _print(_USAGE)
        sys.exit(0)
    with streams.interrupted_at_once():
        module = common.one_line_errors("gr_tf", lambda: _module(command))
    if any(argument in _HELP for argument in arguments):
        more_help = getattr(module, "more_help", str)
        _print(help_text.text(module.__doc__ or "", module.sections(), more_help()))
        sys.exit(0)
    common.start(module.main, argv=[f"gr_tf {command}", *arguments], load=False)


def _print(text: str) -> None:
    common.one_line_errors("gr_tf", lambda: print(text, flush=True))


def _module(command: str) -> types.ModuleType:
    """The module of a command.

    Raises:
        InputError: if there is no such command.
    """
    if command in COMMANDS:
        return importlib.import_module(f"gr_tf.commands.{command}")
    close = difflib.get_close_matches(command, COMMANDS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise InputError(f"unknown command {short(command)}: want one of {', '.join(COMMANDS)}.{hint}")
