"""Asks a model of your own data why it predicts something, and whether the answer is true.

python -m experiments.explain --data_dir=my/folder --query="poland,ngoorgs3,?" --verify
python -m experiments.explain --data_dir=my/ratings.csv --query='u17,"Toy Story (1995)"' --k=5

Trains first, unless the run's folder has a training already. Triples: train.csv, .tsv or .parquet with
columns head, relation, tail. Ratings: ratings.csv with columns user, item, rating.
"""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from absl import flags

from experiments import common, jobs_flag, k_flag, model_flags, rating_flags, run_flags, train_flags
from gr_tf.ask import opening
from gr_tf.ask.answer import Answer
from gr_tf.ask.asker import Asker
from gr_tf.ask.check import Check, check_frame, conclusion
from gr_tf.ask.graph import GraphAsker
from gr_tf.ask.minimal import MinimalSets, minimal_sets
from gr_tf.errors import InputError
from gr_tf.report.tables import as_text

for module in (jobs_flag, k_flag, model_flags, rating_flags, run_flags, train_flags):
    flags.adopt_module_key_flags(module)

_QUERY = flags.DEFINE_string("query", None, "Of triples: head,relation,? or head,relation,tail. Of ratings: user,item.")
_METHOD = flags.DEFINE_string(
    "method", None, "Of triples: gr (the default), tracin, criage, nh. Of ratings: fia (the default), tracin, nh."
)
_OUTPUT = flags.DEFINE_enum("output", "text", ["text", "json", "csv"], "How to print the answer.")
_VERIFY = flags.DEFINE_bool(
    "verify", False, "Train again without the first example, and without all of the first k, and show what changed."
)
_VERIFY_SEEDS = flags.DEFINE_integer("verify_seeds", 1, "Over so many seeds, with an interval.", lower_bound=1)
_MINIMAL = flags.DEFINE_bool(
    "minimal", False, "Search the fewest triples without which the prediction changes, and that alone uphold it."
)
_MOST = flags.DEFINE_integer("most_retrainings", 100, "For each of the two searches of --minimal.", lower_bound=1)


def main() -> None:
    if _QUERY.value is None:
        raise InputError("ask something with --query, such as --query=head,relation,? or --query=user,item.")
    asker = _open()
    answer = asker.answer(_QUERY.value, _METHOD.value, k_flag.K.value)
    if _OUTPUT.value == "text":
        _print_answer(answer, asker.methods[answer.method])
    checks: Sequence[Check] = ()
    if _VERIFY.value:
        checks = asker.check(answer, _VERIFY_SEEDS.value, jobs_flag.JOBS.value)
        if _OUTPUT.value == "text":
            _print_checks(checks)
    found = None
    if _MINIMAL.value:
        if not isinstance(asker, GraphAsker):
            raise InputError("--minimal is for triples: a rating has no other tail to change to.")
        found = minimal_sets(asker, answer, most=_MOST.value, jobs=jobs_flag.JOBS.value)
        if _OUTPUT.value == "text":
            _print_minimal(asker, answer, found)
    if _OUTPUT.value == "csv":
        print(answer.frame.to_csv(index=False), end="")
    elif _OUTPUT.value == "json":
        told = answer.to_dict() | {"checks": [check.to_dict() for check in checks]}
        if found is not None:
            told["minimal"] = dataclasses.asdict(found)
        print(json.dumps(told, indent=1, ensure_ascii=False))


def _open() -> Asker:
    """The asker of the flags."""
    data_dir, dataset = model_flags.DATA_DIR.value, model_flags.DATASET.value
    of_triples, of_ratings = train_flags.asked_settings(), rating_flags.asked_settings()
    if data_dir is None and dataset is None:
        if run_flags.RUN_DIR.value is not None:
            return opening.open_run(run_flags.run_dir())
        dataset = "nations"
    graph = opening.kind_of(data_dir, dataset) == opening.GRAPH
    settings, others = (of_triples, of_ratings) if graph else (of_ratings, of_triples)
    unknown = [name for name in others if name not in settings]
    if unknown:
        raise InputError(f"--{unknown[0]} is for {'ratings' if graph else 'triples'}.")
    name = dataset or pathlib.Path(data_dir or "").resolve().stem
    return opening.ask(
        data_dir,
        run_dir=run_flags.run_dir(f"{name}-explained"),
        dataset=dataset,
        split_seed=model_flags.SPLIT_SEED.value,
        overwrite=run_flags.OVERWRITE.value,
        **settings,
    )


def _print_answer(answer: Answer, method: str) -> None:
    question = ", ".join(answer.asked)
    if answer.alternatives:
        print(f"({question}): the most probable that are not known already")
        for alternative in answer.alternatives:
            print(f"  {alternative.probability:.4f}  {alternative.name}")
    else:
        print(f"({question}): {answer.value:.4f} {answer.unit}")
    print(f"\nWhy {answer.predicted}? {method}.")
    for title, examples in (("supports it", answer.proponents), ("speaks against it", answer.opponents)):
        shown = examples.assign(influence=examples.influence.map("{:+.5f}".format))
        print(f"\nWhat {title} most:\n{as_text(shown)}" if len(examples) else f"\nNothing {title}.")


def _print_checks(checks: Sequence[Check]) -> None:
    print(f"\nIs it true? Trained again without them:\n{as_text(check_frame(checks))}")
    print(conclusion(checks))


def _print_minimal(asker: GraphAsker, answer: Answer, found: MinimalSets) -> None:
    parts = (
        (
            found.necessary,
            f"the fewest found without which {found.instead or 'no tail'} is predicted instead",
            "no set of supporting triples changes the prediction",
        ),
        (
            found.sufficient,
            f"the fewest found that alone, of all that share something with the question, uphold {answer.predicted}",
            f"even with all of them {answer.predicted} is not upheld",
        ),
    )
    for part, what, none in parts:
        so_far = " (so far: --most_retrainings was reached)" if part.exhausted else ""
        if part.example_ids is None:
            print(f"\n{part.retrainings} retrainings{so_far}: {none}.")
            continue
        print(f"\n{part.retrainings} retrainings{so_far}: {what}: {len(part.example_ids)}.")
        if part.example_ids:
            triples = asker.triples.train_frame.iloc[list(part.example_ids)].map(asker.triples.label)
            print(as_text(triples.rename_axis("example_id").reset_index()))


if __name__ == "__main__":
    common.start(main)
