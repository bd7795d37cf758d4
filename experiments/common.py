"""What the binaries share: flags, and errors in one line."""

import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from absl import app, flags

from gr_tf.data.sources import load_triples
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError, TrainingError

Returned = TypeVar("Returned")

DATASET = flags.DEFINE_string("dataset", None, "Dataset: nations (the default), or a name for the files in --data_dir.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with train.txt, valid.txt and test.txt.")
RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of the run. Default: runs/DATASET-MODEL.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Do work again that is finished, and drop what it had written.")


def start(main: Callable[[], None]) -> None:
    """Parses the flags and calls `main`; a user's mistake ends in one line and exit status 1."""

    def checked(argv: Sequence[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"unexpected argument {argv[1]!r}.")
        main()

    try:
        app.run(lambda argv: _one_line_errors(lambda: checked(argv)), flags_parser=_parse_flags)
    except KeyboardInterrupt:
        print("\nInterrupted; the same command continues where it stopped.", file=sys.stderr)
        sys.exit(130)


def load_dataset() -> TripleSet:
    """The dataset of the flags; tells what its reader noted."""
    triples = load_triples(DATASET.value, DATA_DIR.value)
    tell_notes(triples)
    return triples


def tell_notes(triples: TripleSet) -> None:
    """Prints what the reader of a dataset noted."""
    for note in triples.notes:
        print(f"{triples.name}: {note}", file=sys.stderr)


def run_dir(dataset: str, model: str) -> pathlib.Path:
    """The folder of the run, from the flags."""
    return pathlib.Path(RUN_DIR.value or f"runs/{dataset}-{model}")


def _parse_flags(argv: Sequence[str]) -> list[str]:
    return _one_line_errors(lambda: flags.FLAGS(argv))


def _one_line_errors(call: Callable[[], Returned]) -> Returned:
    try:
        return call()
    except (InputError, TrainingError, app.UsageError, flags.Error) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror or error}.")


def _fail(message: str) -> NoReturn:
    program = pathlib.Path(sys.argv[0]).stem
    print(f"{program}: error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(1)
