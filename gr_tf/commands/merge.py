"""Joins what shards did of one command's retrainings: several processes, each with a part, on any machines.

gr_tf evaluate --dataset=nations --run_dir=runs/nations --shard=1/3    # and 2/3, and 3/3, wherever you like
gr_tf merge --run_dir=runs/nations
gr_tf evaluate --dataset=nations --run_dir=runs/nations    # finds all retrainings done

Shards on machines that share no folder each have a folder of their own. Copy those to one machine, and name them:

gr_tf merge --run_dir=runs/nations --from=copies/machine2,copies/machine3

Everything is checked before anything is written: that no file is damaged, that all shards did the same work with the
same versions, and that no retraining has two outcomes. It says what is still missing.
"""

import pathlib

from absl import flags

from gr_tf.commands import help_text, run_flags
from gr_tf.errors import InputError
from gr_tf.evaluation.merging import merge
from gr_tf.runs.run_dir import RunDir

_FROM = flags.DEFINE_list("from", [], "Copies of the run's folder, where other shards worked; they stay as they are.")


def sections() -> list[help_text.Section]:
    """The flags that --help lists."""
    return [("What to merge", [run_flags.RUN_DIR.name, _FROM.name, run_flags.ANY_VERSION.name])]


def main() -> None:
    """Merges."""
    if run_flags.RUN_DIR.value is None:
        raise InputError("name the run's folder with --run_dir.")
    RunDir.any_version = run_flags.ANY_VERSION.value
    merged = merge(pathlib.Path(run_flags.RUN_DIR.value), [pathlib.Path(name) for name in _FROM.value])
    if not merged:
        print(f"{run_flags.RUN_DIR.value}: no shard's journal is there, or all were merged before.")
    for one in merged:
        print(one)
    if any(one.missing for one in merged):
        print("Run the missing shards, and merge again; or the command without --shard, which does what is missing.")
    elif merged:
        print("All is there: give the command again, without --shard.")
