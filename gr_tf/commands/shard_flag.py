"""The flag of programs whose retrainings are kept in journals, so that several processes can do a part each."""

import contextlib
import sys
from collections.abc import Iterator

from absl import flags

from gr_tf.commands import common, run_flags
from gr_tf.errors import InputError
from gr_tf.runs import shards

SHARD = flags.DEFINE_string(
    "shard",
    None,
    "Do only a part of the retrainings, such as 3/64: the third of 64 processes, on any machines; see gr_tf merge.",
)


@common.around_main
@contextlib.contextmanager
def _as_shard() -> Iterator[None]:
    """Lets the program do a shard's part, and says how it goes on when it stops."""
    if SHARD.value is None:
        yield
        return
    shard = shards.Shard.of(SHARD.value)
    if run_flags.OVERWRITE.value:
        raise InputError(
            "--overwrite deletes what other shards did: give it without --shard, or name another --run_dir."
        )
    try:
        with shards.working_as(shard):
            yield
    except shards.Stopped as stopped:
        then = f"When all shards are done: gr_tf merge --run_dir={stopped.folder}, then this command without --shard."
        print(stopped.told, then, sep="\n")
        return
    print(f"Shard {shard}: no retraining was missing, so that the command went on to its end.", file=sys.stderr)
