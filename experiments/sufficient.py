"""Do the facts that explain a prediction carry it over to others? Kelpie's sufficient explanations, with controls.

python -m experiments.sufficient --data_dir=DATA/fb15k-237 --facts=DATA/kelpie/complex_fb15k237_random.tsv

For the facts (head, relation, tail) that the model ranks first, each method names at most k training facts of the head.
Ten other entities of which the model does not predict the tail are given these facts, the head exchanged; all at once,
in one training for each seed. Does the model predict the tail of the others now? Each training is compared with its
pair, in which nothing is given and every random draw is the same: all that any condition gives is among the examples,
but masked. Finished trainings are found again, as long as --methods and --ks are the same.
"""

from typing import Any

import numpy as np
from absl import flags

from experiments import fact_flags
from gr_tf.commands import common, run_flags
from gr_tf.errors import InputError
from gr_tf.evaluation.changed_ranks import Changes
from gr_tf.evaluation.explained_facts import ExplainedFacts
from gr_tf.evaluation.given_facts import others_of
from gr_tf.evaluation.paired import NOTHING, Pairs
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.head_facts import HeadFactsTask

common.adopt(fact_flags)
DEFAULTS = fact_flags.DEFAULTS
NAME = "sufficient"
_OTHERS = flags.DEFINE_integer("others", 10, "Entities that are given the facts of each explanation.", lower_bound=1)


def measured(task: HeadFactsTask, found: ExplainedFacts, work: RunDir) -> dict[str, Any]:
    """Trains with what each method names given to others; the rows of the table."""
    seeds, jobs = fact_flags.seeds(task), run_flags.JOBS.value
    others = others_of(task, found, _OTHERS.value, work, jobs)
    larger, given = others.given(fact_flags.named(found))
    added = np.arange(task.num_examples, larger.num_examples)
    pairs = Pairs(larger, others.queries, seeds, work, jobs, without=added)
    outcomes = pairs.measure({}, given)
    # What is given to others is known of them, and no competitor: some have the answer in the explained seed by this
    # alone. Nor is a fact measured that has no others.
    denied = np.flatnonzero(outcomes[NOTHING].ranks[0] > 1)
    if not len(denied):
        raise InputError("all others have the answers by what is given to them alone: there is nothing to measure.")
    facts = np.unique(others.facts[denied], return_inverse=True)[1]
    changes = Changes({name: of.of(slice(None), denied) for name, of in outcomes.items()}, facts)
    rows = fact_flags.rows(changes, found, given)
    about = {"num_others": len(denied), "num_added": len(added)}
    return {"seeds": seeds, **about, "before": changes.before(), "rows": rows}


def main() -> None:
    fact_flags.tell(*fact_flags.run(NAME, measured, {_OTHERS.name: _OTHERS.value}))


if __name__ == "__main__":
    common.start(main, DEFAULTS)
