"""The flags that say what does the retrainings: threads, processes, or other machines. They change no result."""

import contextlib
from collections.abc import Iterator

from absl import flags

from gr_tf.commands import common
from gr_tf.evaluation.retraining import available_cores
from gr_tf.runs.pools.chosen import CLUSTERS, ENGINES, THREADS, retraining_on

JOBS = flags.DEFINE_integer(
    "jobs",
    available_cores(),
    "Trainings at a time; they change no result. Default: one for each core, also of a cluster at --address.",
    lower_bound=1,
)
ENGINE = flags.DEFINE_enum(
    "engine",
    THREADS,
    list(ENGINES),
    'What does retrainings; it changes no result. ray and dask need pip install ".[ray]" or ".[dask]".',
)
ADDRESS = flags.DEFINE_string(
    "address",
    None,
    f"Of a cluster that runs already, with --engine={' or '.join(CLUSTERS)}: such as auto, ray://head:10001, or "
    "tcp://scheduler:8786. Default: workers on this machine, as many as --jobs.",
)
FLAGS = (JOBS, ENGINE, ADDRESS)


@common.around_main
@contextlib.contextmanager
def _chosen() -> Iterator[None]:
    jobs = JOBS.value if ADDRESS.value is not None and JOBS.present else None
    with retraining_on(ENGINE.value, address=ADDRESS.value, jobs=jobs):
        yield
