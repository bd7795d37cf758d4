"""Do predictions rest on the facts that explain them? Kelpie's necessary explanations, with controls.

python -m experiments.necessary --data_dir=DATA/fb15k-237 --facts=DATA/kelpie/complex_fb15k237_random.tsv

For the facts that the model ranks first, each method names at most k training facts of the head. All of them are
removed at once, and the model is trained again: by the explained seed, and by seeds that were not explained. Each
training is compared with its pair, in which nothing is removed and every random draw is the same; and, as Kelpie's
authors do, with the explained training. Finished trainings are found again, also with other --methods or --seeds.
"""

from typing import Any

import numpy as np

from experiments import fact_flags
from gr_tf.commands import common, run_flags
from gr_tf.evaluation.changed_ranks import Changes
from gr_tf.evaluation.explained_facts import ExplainedFacts
from gr_tf.evaluation.paired import Pairs
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.head_facts import HeadFactsTask

common.adopt(fact_flags)
DEFAULTS = fact_flags.DEFAULTS
NAME = "necessary"


def measured(task: HeadFactsTask, found: ExplainedFacts, work: RunDir) -> dict[str, Any]:
    """Trains without what each method names; the rows of the table."""
    seeds = fact_flags.seeds(task)
    removed = {name: np.unique(np.concatenate(ids)) for name, ids in fact_flags.named(found).items()}
    pairs = Pairs(task, found.queries, seeds, work, run_flags.JOBS.value)
    outcomes = pairs.measure(removed, {})
    chosen = {name: of.of(slice(None), found.chosen) for name, of in outcomes.items()}
    changes = Changes(chosen, np.arange(len(found.chosen)))
    rows = fact_flags.rows(changes, found, removed)
    return {"seeds": seeds, "before": changes.before(), "rows": rows}


def main() -> None:
    fact_flags.tell(*fact_flags.run(NAME, measured))


if __name__ == "__main__":
    common.start(main, DEFAULTS)
