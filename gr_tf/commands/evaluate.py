"""Removes what explanations name, trains again, and shows which method names what the predictions depend on.

gr_tf evaluate --run_dir=runs/mine
gr_tf evaluate --dataset=nations --methods=nh,gr,tracin --ks=1,10,ALL --num_queries=0

It trains first, unless the run's folder has a training already. A method is good if, without the examples that it
names, more predictions fall (PD) and more best answers change (TC) than without random neighbours (nh).

Influences from anywhere, also from other programs, are scored in seconds by an atlas: the effects of all training
examples, measured by retraining. The leaderboard has what is known of other methods, too:

gr_tf evaluate --order_dir=order    # writes the queries and examples of the matrix, by name and in order
gr_tf evaluate --scores=mine.npy    # of Nations; or --data_dir=my/graph --atlas=RUN/MODEL/both20/atlas.npz
"""

from absl import flags

from gr_tf.attribution.methods import method_of
from gr_tf.commands import engine_flags, help_text, open_flags, own_scores, removal_flags, run_flags, shard_flag
from gr_tf.commands.retraining_flag import RETRAINING_STEPS
from gr_tf.errors import InputError, short
from gr_tf.evaluation import removal
from gr_tf.evaluation.explained import explain_run
from gr_tf.report.tables import as_text, removal_frame

_DEFAULT_NUM_QUERIES = 20
more_help = open_flags.methods_table


def sections() -> list[help_text.Section]:
    """The flags that --help lists."""
    own = [flag.name for flag in flags.FLAGS.flags_by_module_dict()[removal_flags.__name__]]
    return [
        ("What to compare", [*own, RETRAINING_STEPS.name]),
        ("What does the work", [*(flag.name for flag in engine_flags.FLAGS), shard_flag.SHARD.name]),
        ("Influences from anywhere, scored by an atlas", [flag.name for flag in own_scores.FLAGS]),
        *open_flags.sections(),
    ]


def main() -> None:
    """Evaluates."""
    if own_scores.asked():
        own_scores.main()
        return
    kind = open_flags.kind(overwrites=True, retrains=True)
    asked = removal_flags.METHODS.value
    names = [name.strip().lower() for name in (["nh", method_of(kind, None).name] if asked is None else asked)]
    if len(set(names)) < len(names) or not names:
        raise InputError(f"want each method once in --methods; got {short(','.join(names))}.")
    methods = [method_of(kind, name) for name in names]
    open_flags.refuse_settings(kind)
    removal.parse_ks(removal_flags.K_LIST.value)
    of_nh = removal_flags.of_nh()
    trained, run_dir = open_flags.open_trained(kind, methods)
    count, length = removal_flags.NUM_QUERIES.value, RETRAINING_STEPS.value
    if length is None and trained.task.continues:
        length = trained.task.check_length(trained.epoch)
    explain_run(
        run_dir,
        num_queries=_DEFAULT_NUM_QUERIES if count is None else count or None,
        query_seed=removal_flags.QUERY_SEED.value,
        right_if=removal_flags.RIGHT_IF_FLAG.value,
        overwrite=run_flags.OVERWRITE.value,
        reuse=True,
    )
    stage = removal.evaluate(
        run_dir,
        methods=names,
        ks=removal_flags.K_LIST.value,
        **of_nh,
        length=length,
        jobs=run_flags.JOBS.value,
        overwrite=run_flags.OVERWRITE.value,
        reuse=True,
    )
    result = stage.result()
    print(as_text(removal_frame(result["table"])))
    print(f"{result['num_queries']} predictions, {len(result['retrainings'])} retrainings. Written to {stage.path}.")
