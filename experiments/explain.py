"""Asks a model of your own data why it predicts something, and whether the answer is true.

python -m experiments.explain --data_dir=my/folder --query="poland,ngoorgs3,?" --verify
python -m experiments.explain --data_dir=my/ratings.csv --query='u17,"Toy Story (1995)"' --k=5

Trains first, unless the run's folder has a training already. Triples: train.csv, .tsv or .parquet with
columns head, relation, tail. Ratings: ratings.csv with columns user, item, rating.
"""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Sequence

import pandas as pd
from absl import flags

from experiments import ask_flags, common, jobs_flag, k_flag
from gr_tf import files
from gr_tf.ask.answer import Answer, signed
from gr_tf.ask.asker import Asker
from gr_tf.ask.check import Check, check_frame, conclusion
from gr_tf.ask.graph import GraphAsker
from gr_tf.ask.minimal import MinimalSets, minimal_sets
from gr_tf.ask.page import Found, page
from gr_tf.errors import InputError
from gr_tf.report.tables import as_text

for module in (ask_flags, jobs_flag, k_flag):
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
_REPORT = flags.DEFINE_string("report", None, "Write the answer as one HTML page to this file.")
_MINIMAL = flags.DEFINE_bool(
    "minimal", False, "Search the fewest triples without which the prediction changes, and that alone uphold it."
)
_MOST = flags.DEFINE_integer("most_retrainings", 100, "For each of the two searches of --minimal.", lower_bound=1)


def main() -> None:
    if _QUERY.value is None:
        raise InputError("ask something with --query, such as --query=head,relation,? or --query=user,item.")
    report = None if _REPORT.value is None else pathlib.Path(_REPORT.value)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)  # told before any work, if it cannot be
    asker = ask_flags.open_asker()
    answer = asker.answer(_QUERY.value, _METHOD.value, k_flag.K.value)
    if _OUTPUT.value == "text":
        _print_answer(answer, asker.methods[answer.method])
    checks: Sequence[Check] = ()
    if _VERIFY.value:
        checks = asker.check(answer, _VERIFY_SEEDS.value, jobs_flag.JOBS.value)
        if _OUTPUT.value == "text":
            _print_checks(checks)
    minimal, found = None, []
    if _MINIMAL.value:
        if not isinstance(asker, GraphAsker):
            raise InputError("--minimal is for triples: a rating has no other tail to change to.")
        minimal = minimal_sets(asker, answer, most=_MOST.value, jobs=jobs_flag.JOBS.value)
        found = _found_sets(asker, answer, minimal)
        if _OUTPUT.value == "text":
            _print_minimal(found)
    if report is not None:
        method = asker.methods[answer.method]
        files.write_text(report, page(answer, method, asker.drawing(answer), asker.facts(), checks, found))
        print(f"Written to {report}.", file=sys.stderr)
    if _OUTPUT.value == "csv":
        print(answer.frame.to_csv(index=False), end="")
    elif _OUTPUT.value == "json":
        told = {**answer.to_dict(), "checks": [check.to_dict() for check in checks], "model": asker.facts()}
        if minimal is not None:
            told["minimal"] = dataclasses.asdict(minimal)
        print(json.dumps(told, indent=1, ensure_ascii=False))


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
        shown = examples.assign(influence=examples.influence.map(signed))
        print(f"\nWhat {title} most:\n{as_text(shown)}" if len(examples) else f"\nNothing {title}.")


def _print_checks(checks: Sequence[Check]) -> None:
    print(f"\nIs it true? Trained again without them:\n{as_text(check_frame(checks))}")
    print(conclusion(checks))


def _found_sets(asker: Asker, answer: Answer, found: MinimalSets) -> list[Found]:
    """Both sets, for people."""
    parts = (
        (
            found.necessary,
            "The fewest found that it needs",
            f"Without these, {found.instead or 'nothing'} is predicted instead.",
            "No set of supporting triples that was tried changes the prediction.",
        ),
        (
            found.sufficient,
            "The fewest found that suffice",
            f"With these alone, of all that share something with the question, {answer.predicted} is still predicted.",
            f"Even with all that share something with the question {answer.predicted} is not upheld.",
        ),
    )
    assert isinstance(asker, GraphAsker)
    triples = asker.triples
    told = []
    for part, title, what, none in parts:
        so_far = f"{part.retrainings} retrainings" + (", no more were allowed" if part.exhausted else "")
        ids = list(part.example_ids or ())
        rows = triples.train_frame.iloc[ids].map(triples.label).itertuples(name=None)
        text = none if part.example_ids is None else what
        told.append(Found(f"{title}: {len(ids)}", f"{text} ({so_far})", tuple(tuple(map(str, row)) for row in rows)))
    return told


def _print_minimal(found: Sequence[Found]) -> None:
    for part in found:
        print(f"\n{part.title}. {part.text}")
        if part.rows:
            print(as_text(pd.DataFrame(part.rows, columns=["example_id", "head", "relation", "tail"])))


if __name__ == "__main__":
    common.start(main)
