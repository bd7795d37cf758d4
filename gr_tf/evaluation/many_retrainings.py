"""Does many trainings of one model, each without some examples: in threads, or where `retraining_on` says."""

import concurrent.futures
import pathlib
from collections.abc import Callable, Iterator, Sequence

from gr_tf.evaluation import common_beginning, sent_retrainings
from gr_tf.evaluation.retraining import Known, Outcome, Retraining, Trainers, check_jobs
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.runs.pools import chosen


def retrain(
    retrainings: Sequence[Retraining],
    jobs: int,
    *,
    known: Known = (),
    folder: pathlib.Path | None = None,
    checkpoint_seconds: float = 30.0,
    on_found: Callable[[int], object] = lambda blocks: None,
    on_block: Callable[[], object] = lambda: None,
) -> Iterator[tuple[int, Outcome]]:
    """Does many retrainings, `jobs` at a time; neither their number nor who does them changes a result.

    Args:
        retrainings: what to do.
        jobs: trainings at a time; see runs.pools.chosen.retraining_on for clusters.
        known: tasks and trainings in memory.
        folder: where unfinished trainings save checkpoints; without it, or with looks, a killed one begins anew. (Also
            on other machines, which do not see the folder.)
        checkpoint_seconds: how much of each training a kill may lose.
        on_found: called with the number of blocks that need no work: done earlier, or not needed by the stopping rule.
        on_block: called after each block that is done; by an engine of processes, after each batch for all its blocks.

    Yields:
        The place of each retraining and its outcome, in the order of completion.

    Raises:
        InputError: if jobs is below 1, an example id is out of range, or a task cannot be sent to the engine.
        TrainingError: if a training fails, or the engine's workers die again and again.
    """
    check_jobs(jobs)
    trainers = Trainers(known)
    pool = chosen.chosen()
    if pool is not None and retrainings:
        pool.start(jobs)
        yield from sent_retrainings.done_by(pool, retrainings, trainers, folder, checkpoint_seconds, on_found, on_block)
        return
    # The parent makes the tasks and compiles once, not each thread again.
    tasks = {one.task: trainers.task(one.task) for one in retrainings}
    prefixes = {}
    for reference, task in tasks.items() if folder is None else ():
        asked_of_task = [one for one in retrainings if one.task == reference]
        every = common_beginning.blocks_between(task, asked_of_task)
        prefixes[reference] = common_beginning.recorded(task, asked_of_task[0].length, every)

    def run(place: int) -> tuple[int, Outcome]:
        asked = retrainings[place]
        # Checkpoints do not contain the values of earlier looks.
        checkpoints = None
        if folder is not None and not asked.looks:
            checkpoints = CheckpointFolder(folder / asked.key, checkpoint_seconds)
        prefix = prefixes.get(asked.task)
        return place, trainers.run(asked, prefix=prefix, checkpoints=checkpoints, on_found=on_found, on_block=on_block)

    # Threads suffice: a compiled block computes outside Python's lock.
    executor = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        futures = [executor.submit(run, place) for place in range(len(retrainings))]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()
    finally:
        executor.shutdown(cancel_futures=True)
