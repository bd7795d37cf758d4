"""Asks a model of your own data why it predicts something, and whether the answer is true.

python -m experiments.explain --data_dir=my/folder --query="poland,ngoorgs3,?" --verify
python -m experiments.explain --data_dir=my/ratings --query='u17,"Toy Story (1995)"' --k=5

Trains first, unless the run's folder has a training already. Triples: train.csv, .tsv or .parquet with
columns head, relation, tail. Ratings: ratings.csv with columns user, item, rating.
"""

import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Sequence

import pandas as pd
from absl import flags

from experiments import ask_flags, common, jobs_flag, k_flag
from gr_tf import files
from gr_tf.asking.answer import Answer, parse_question, signed
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import Check, check_frame, conclusion
from gr_tf.asking.graph import GraphAsker
from gr_tf.asking.minimal import MinimalSets, minimal_sets, refuse_unless_top
from gr_tf.asking.opening import GRAPH
from gr_tf.asking.page import Found, page
from gr_tf.asking.ratings import RatingAsker
from gr_tf.attribution.base import checked_k
from gr_tf.errors import InputError
from gr_tf.report.tables import as_text

for module in (ask_flags, jobs_flag, k_flag):
    flags.adopt_module_key_flags(module)

_QUERY = flags.DEFINE_string("query", None, "Of triples: head,relation,? or head,relation,tail. Of ratings: user,item.")
_METHOD = flags.DEFINE_string(
    "method",
    None,
    "Of triples: gr (the default), tracin, cosine, influence, rollback-all, replay, criage, nh. Of ratings: fia (the "
    "default), tracin, nh.",
)
_TRAININGS = flags.DEFINE_integer(
    "trainings",
    1,
    "Of triples: average the explanation over so many trainings, and say which signs are certain.",
    lower_bound=1,
)
_OUTPUT = flags.DEFINE_enum("output", "text", ["text", "json", "csv"], "How to print the answer.")
_VERIFY = flags.DEFINE_bool(
    "verify", False, "Train again without the first example, and without all of the first k, and show what changed."
)
_VERIFY_SEEDS = flags.DEFINE_integer("verify_seeds", 1, "--verify over so many seeds, with an interval.", lower_bound=1)
_REPORT = flags.DEFINE_string("report", None, "Write the answer as one HTML page to this file.")
_MINIMAL = flags.DEFINE_bool(
    "minimal", False, "Search the fewest triples without which the prediction changes, and that alone uphold it."
)
_MOST = flags.DEFINE_integer(
    "most_retrainings", 100, "--minimal with so many for each of its two searches.", lower_bound=1
)


def main() -> None:
    is_text, report = _OUTPUT.value == "text", None if _REPORT.value is None else pathlib.Path(_REPORT.value)
    verify = _VERIFY.value or bool(flags.FLAGS["verify_seeds"].present)
    search = _MINIMAL.value or bool(flags.FLAGS["most_retrainings"].present)
    question = _question(report, verify or search, search)
    asker = ask_flags.open_asker()
    answer = _answer(asker, question)
    if search:
        assert isinstance(asker, GraphAsker)
        refuse_unless_top(asker, answer)
    if is_text:
        _print_answer(answer, asker.methods[answer.method])
    checks: Sequence[Check] = ()
    if verify and len(answer.supporting_ids):
        checks = asker.check(answer, _VERIFY_SEEDS.value, jobs_flag.JOBS.value)
        if is_text:
            _print_checks(checks)
    elif verify:
        print("Nothing supports the prediction, so that there is nothing to remove and verify.", file=sys.stderr)
    minimal, found = None, []
    if search:
        assert isinstance(asker, GraphAsker)
        minimal = minimal_sets(asker, answer, most=_MOST.value, jobs=jobs_flag.JOBS.value)
        found = _found_sets(asker, answer, minimal)
        if is_text:
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


def _question(report: pathlib.Path | None, retrains: bool, searches: bool) -> str:
    """What is asked, after a look for all mistakes that can be told before any training.

    Raises:
        InputError: naming the flag.
    """
    question = _QUERY.value
    if question is None:
        raise InputError("ask something with --query, such as --query=head,relation,? or --query=user,item.")
    graph = ask_flags.kind() == GRAPH
    asker = GraphAsker if graph else RatingAsker
    asker.method_of(_METHOD.value)
    parse_question(question, asker.parts)
    checked_k(k_flag.K.value)
    if flags.FLAGS["trainings"].present and not graph:
        raise InputError("--trainings is for triples.")
    if searches and not graph:
        raise InputError("--minimal is for triples: a rating has no other tail to change to.")
    if retrains and _OUTPUT.value == "csv" and report is None:
        raise InputError(
            "--output=csv has no place for what --verify and --minimal find: ask for text, json or --report."
        )
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        if report.is_dir() or not os.access(report.parent, os.W_OK):
            raise InputError(f"{report}: cannot be written.")
    return question


def _answer(asker: Asker, question: str) -> Answer:
    if isinstance(asker, GraphAsker):
        return asker.answer(question, _METHOD.value, k_flag.K.value, _TRAININGS.value)
    return asker.answer(question, _METHOD.value, k_flag.K.value)


def _print_answer(answer: Answer, method: str) -> None:
    question = ", ".join(answer.asked)
    if answer.alternatives:
        print(f"({question}): the most probable that are not known already")
        for alternative in answer.alternatives:
            print(f"  {alternative.probability:.4f}  {alternative.name}")
    else:
        print(f"({question}): {answer.value:.4f} {answer.unit}")
    averaged = f" Means over {answer.trainings} trainings." if answer.trainings > 1 else ""
    print(f"\nWhy {answer.predicted}? {method}.{averaged}")
    for warning in answer.warnings:
        print(f"Warning: {warning}.")
    for title, examples in (("supports it", answer.proponents), ("speaks against it", answer.opponents)):
        shown = examples.assign(influence=examples.influence.map(signed))
        if "standard error" in shown:
            shown["standard error"] = shown["standard error"].map("{:.4f}".format)
        print(f"\nWhat {title} most:\n{as_text(shown)}" if len(examples) else f"\nNothing {title}.")


def _print_checks(checks: Sequence[Check]) -> None:
    print(f"\nIs it true? Trained again without them:\n{as_text(check_frame(checks))}")
    print(conclusion(checks))


def _found_sets(asker: Asker, answer: Answer, found: MinimalSets) -> list[Found]:
    """Both sets, for people."""
    assert isinstance(asker, GraphAsker)
    triples = asker.triples
    parts = (
        (found.necessary, "it needs", f"Without these, {found.instead or 'nothing'} is predicted instead"),
        (
            found.sufficient,
            "that suffice",
            "With these alone, of the triples that share an entity or the relation with the question, "
            f"{answer.predicted} is still predicted",
        ),
    )
    told = []
    for part, which, what in parts:
        so_far = f"{part.retrainings} retrainings" + (", no more were allowed" if part.exhausted else "")
        if part.example_ids is None:
            told.append(Found(f"The fewest {which}: none was found", f"Tried in {so_far}."))
            continue
        ids = list(part.example_ids)
        rows = triples.train_frame.iloc[ids].map(triples.label).itertuples(name=None)
        title = f"The fewest {which}, of those tried: {len(ids)}"
        told.append(Found(title, f"{what} ({so_far}).", tuple(tuple(map(str, row)) for row in rows)))
    return told


def _print_minimal(found: Sequence[Found]) -> None:
    for part in found:
        print(f"\n{part.title}. {part.text}")
        if part.rows:
            print(as_text(pd.DataFrame(part.rows, columns=["example_id", "head", "relation", "tail"])))


if __name__ == "__main__":
    common.start(main)
