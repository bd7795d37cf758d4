"""Ranks the training examples by how much they look like mistakes.

gr_tf suspects --data_dir=my/folder
gr_tf suspects --run_dir=runs/mine --by=tracin --k=50

It trains first, unless the run's folder has a training already. RUN/suspects-BY.csv has all examples, with every name
as it is in the data; --spreadsheet_safe is for names that a spreadsheet would run as a formula.
"""

import numpy as np
from absl import flags

from gr_tf.attribution.base import checked_k
from gr_tf.attribution.suspicion import suspicion, ways_of
from gr_tf.commands import help_text, k_flag, open_flags, run_flags
from gr_tf.commands.spreadsheet_flag import SPREADSHEET_SAFE
from gr_tf.errors import InputError, short
from gr_tf.report.tables import as_text
from gr_tf.runs import files
from gr_tf.runs.csv_text import csv_text
from gr_tf.runs.outputs import check_output
from gr_tf.tasks.kinds import KINDS

_BY = flags.DEFINE_string(
    "by",
    "loss",
    f"How to rank: {'; '.join(f'{kind}: ' + ', '.join(ways_of(kind)) for kind in KINDS)}. Loss found most mistakes.",
)


def sections() -> list[help_text.Section]:
    """The flags that --help lists."""
    return [("What to show", [_BY.name, k_flag.K.name, SPREADSHEET_SAFE.name]), *open_flags.sections()]


def more_help() -> str:
    """The ways to rank, which --help lists."""
    return "\n\n".join(f"Ways to rank {kind}:\n{help_text.table(ways_of(kind))}" for kind in KINDS)


def main() -> None:
    """Ranks."""
    kind, way = open_flags.kind(overwrites=True), _BY.value
    ways = ways_of(kind)
    if way not in ways:
        raise InputError(f"--by must be one of {', '.join(ways)} for {kind}; got {short(way)}.")
    checked_k(k_flag.K.value)
    open_flags.refuse_settings(kind)
    trained, run_dir = open_flags.open_trained(kind, trains_anew=False)
    scores = suspicion(trained, way)
    found = trained.task.dataset.train_frame.assign(example_id=np.arange(len(scores)))
    found.insert(0, way, scores)
    found = found.sort_values(way, ascending=False, kind="stable")
    print(f"The most suspicious of {len(found)} training examples, by {way} ({ways[way]}):")
    print(as_text(found.head(k_flag.K.value)))
    path, text = run_dir / f"suspects-{way}.csv", csv_text(found, spreadsheet_safe=SPREADSHEET_SAFE.value)
    if not (path.is_file() and path.read_bytes() == text.encode()):
        check_output(path, overwrite=run_flags.OVERWRITE.value, data=[trained.task.dataset.source])
        files.write_text(path, text)
    print(f"All of them are in {path}.")
