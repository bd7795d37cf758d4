"""What the flags of the binaries that make Table 1 or 2 ask for."""

from absl import flags

from experiments import evaluate_flags, explain_flags
from gr_tf.commands import run_flags, triple_flags
from gr_tf.data.triples import TripleSet
from gr_tf.report.removal_table import Asked

for module in (evaluate_flags, explain_flags, run_flags, triple_flags):
    flags.adopt_module_key_flags(module)


def asked(triples: TripleSet) -> Asked:
    """What the flags ask of a table of this dataset, beside the training."""
    return Asked(
        methods=evaluate_flags.methods(),
        ks=evaluate_flags.K_LIST.value,
        nh_seed=evaluate_flags.NH_SEED.value,
        released_defects=evaluate_flags.RELEASED_DEFECTS.value,
        jobs=run_flags.JOBS.value,
        num_queries=explain_flags.num_queries(triples.name),
        query_seed=explain_flags.QUERY_SEED.value,
        right_if=explain_flags.RIGHT_IF_FLAG.value,
        overwrite=run_flags.OVERWRITE.value,
        checkpoint_seconds=run_flags.CHECKPOINT_SECONDS.value,
        usual=triple_flags.default_config(triples.name),
    )
