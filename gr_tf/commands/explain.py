"""Asks a model of your own data why it predicts something, and whether the answer is true.

gr_tf explain --data_dir=my/folder --query="poland,ngoorgs3,?" --verify
gr_tf explain --data_dir=my/folder --query="?,ngoorgs3,usa"  # or "poland,?,usa": which head, which relation?
gr_tf explain --data_dir=my/ratings --query='u17,"Toy Story (1995)"' --k=5
gr_tf explain --data_dir=my/ratings --kind=sequences --query="u17,?"
gr_tf explain --data_dir=my/folder --model_dir=my/embeddings --model=complex --convention=pykeen --query="a,likes,?"

It trains first, unless the run's folder has a training already. Triples are in train.csv, .tsv or .parquet with columns
head, relation, tail. Ratings are in ratings.csv with columns user, item, rating. Sequences are in sequences.csv with
columns user, item and perhaps time, or in sequences.txt: each line has a user and the items, separated by tabs. Put
quotes around the question: to a shell, ? stands for any letter of a file's name.
"""

import json
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from gr_tf.asking.answer import Answer, parse_question, signed
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import Check, check_frame, conclusion, seeds_frame
from gr_tf.asking.confirmed import LEAST_SEEDS
from gr_tf.asking.minimal import minimal_sets, refuse_unless_top, refuse_without_alternatives
from gr_tf.asking.page import page
from gr_tf.attribution.base import checked_k
from gr_tf.attribution.methods import Method, method_for
from gr_tf.commands import given_flags, help_text, k_flag, open_flags, run_flags
from gr_tf.commands.retraining_flag import RETRAINING_STEPS
from gr_tf.commands.spreadsheet_flag import SPREADSHEET_SAFE
from gr_tf.errors import InputError
from gr_tf.report.tables import as_text
from gr_tf.runs import files
from gr_tf.runs.csv_text import csv_text
from gr_tf.runs.outputs import check_output
from gr_tf.tasks.kinds import KINDS
from gr_tf.tasks.trained import Trained

_QUERY = flags.DEFINE_string(
    "query",
    None,
    f"The question. {' '.join(f'For {kind}: ' + ','.join(task.parts) + '.' for kind, task in KINDS.items())} "
    "What is itself called ? is written \\?.",
)
_METHOD = flags.DEFINE_string("method", None, "A method for the kind of the data, see above. Default: the first.")
_TRAININGS = flags.DEFINE_integer(
    "trainings", 1, "Average the explanation over this many trainings, and say which signs are certain.", lower_bound=1
)
_OUTPUT = flags.DEFINE_enum(
    "output",
    "text",
    ["text", "json", "csv"],
    "How to print the answer; csv: the examples, with every name as it is in the data, see --spreadsheet_safe.",
)
_VERIFY = flags.DEFINE_bool(
    "verify", False, "Train again without the first example, and without all of the first k, and show what changed."
)
_VERIFY_SEEDS = flags.DEFINE_integer(
    "verify_seeds",
    1,
    "Seeds for --verify; several give an interval. Also the trainings in which --minimal confirms a set: "
    f"at least {LEAST_SEEDS}.",
    lower_bound=1,
)
_CONTROLS = flags.DEFINE_bool(
    "controls",
    True,
    "With --verify: train without as many random related examples, too, and with another seed: what chance does.",
)
_REPORT = flags.DEFINE_string("report", None, "Write the answer as one HTML page to this file.")
_MINIMAL = flags.DEFINE_bool(
    "minimal", False, "Search the fewest examples without which the prediction changes, and the fewest that suffice."
)
_MOST = flags.DEFINE_integer(
    "most_retrainings", 100, "At most this many retrainings for each of --minimal's two searches.", lower_bound=1
)
more_help = open_flags.methods_table


def sections() -> list[help_text.Section]:
    """The flags that --help lists."""
    asked = (_QUERY, _METHOD, k_flag.K, _TRAININGS)
    checked = (_VERIFY, _VERIFY_SEEDS, _CONTROLS, _MINIMAL, _MOST, RETRAINING_STEPS, run_flags.JOBS)
    told = (("The question", asked), ("The check", checked), ("The output", (_OUTPUT, SPREADSHEET_SAFE, _REPORT)))
    return [
        *((title, [flag.name for flag in some]) for title, some in told),
        given_flags.section(),
        *open_flags.sections(explains=True),
    ]


def main() -> None:
    """Explains."""
    is_text, report = _OUTPUT.value == "text", None if _REPORT.value is None else pathlib.Path(_REPORT.value)
    search = _MINIMAL.value or bool(flags.FLAGS["most_retrainings"].present)
    # With --minimal, --verify_seeds is the number of trainings that confirm a set.
    verify = _VERIFY.value or (bool(flags.FLAGS["verify_seeds"].present) and not search)
    kind = given_flags.kind(overwrites=report is not None)
    given_flags.check(kind, searches=search, trainings=_TRAININGS.value, overwrites=report is not None)
    method = method_for(kind, _METHOD.value, given=given_flags.is_given())
    open_flags.refuse_settings(kind, method.name)
    settings = open_flags.ask_settings(kind)
    question = _question(kind, report, verify or search, search)
    trained = _open(kind, method, parse_question(question), report)
    asker = Asker(trained, **settings)
    answer = asker.answer(question, method.name, k_flag.K.value, _TRAININGS.value)
    quality = asker.quality_at(answer.explanation.query)
    if search:
        refuse_unless_top(asker, answer)
    if is_text:
        print(f"{quality.question}\n{as_text(quality.frame())}\n")
        _print_answer(answer, method)
    checks: Sequence[Check] = ()
    if verify and len(answer.supporting_ids):
        checks = asker.check(answer, _VERIFY_SEEDS.value, run_flags.JOBS.value, controls=_CONTROLS.value)
        if is_text:
            print(f"\nIs it true? {asker.checker.how}:\n{as_text(check_frame(checks))}\n{conclusion(checks)}")
            print(f"\nThe {answer.unit} of each training:\n{as_text(seeds_frame(checks))}")
    elif verify:
        print("Nothing supports the prediction, so there is nothing to remove and verify.", file=sys.stderr)
    minimal, found = None, []
    if search:
        seeds = max(_VERIFY_SEEDS.value, LEAST_SEEDS)
        minimal = minimal_sets(asker, answer, most=_MOST.value, jobs=run_flags.JOBS.value, seeds=seeds)
        found = list(minimal.found)
        if is_text:
            for part in found:
                examples = f"\n{as_text(part.examples)}" if len(part.examples) else ""
                print(f"\n{part.title}. {part.text}{examples}")
    if report is not None:
        _check_report(report)  # Another process may have written it meanwhile.
        files.write_text(report, page(asker, answer, checks, found))
        print(f"Written to {report}.", file=sys.stderr)
    if _OUTPUT.value == "csv":
        print(csv_text(answer.frame, spreadsheet_safe=SPREADSHEET_SAFE.value), end="")
    elif _OUTPUT.value == "json":
        told = {
            **answer.to_dict(),
            "quality": quality.to_dict(),
            "checks": [check.to_dict() for check in checks],
            **({"how_checked": asker.checker.how, "conclusion": conclusion(checks)} if checks else {}),
            "model": asker.facts(),
        }
        if minimal is not None:
            told["minimal"] = minimal.to_dict()
        print(json.dumps(told, indent=1, ensure_ascii=False))


def _question(kind: str, report: pathlib.Path | None, retrains: bool, searches: bool) -> str:
    """The question, after a look for all mistakes that can be seen before any training.

    Raises:
        InputError: if a flag is wrong; the message names it.
    """
    question, task = _QUERY.value, KINDS[kind]
    if question is None:
        raise InputError(f"ask a question with --query={','.join(task.parts)}.")
    task.check_parts(parse_question(question))
    checked_k(k_flag.K.value)
    if searches:
        refuse_without_alternatives(task.has_alternatives)
    if SPREADSHEET_SAFE.value and _OUTPUT.value != "csv":
        raise InputError(f"--spreadsheet_safe is for --output=csv; got --output={_OUTPUT.value}.")
    if retrains and _OUTPUT.value == "csv" and report is None:
        raise InputError(
            "--output=csv has no place for what --verify and --minimal find: ask for text, json or --report."
        )
    if report is not None:
        _check_report(report)
    return question


def _open(kind: str, method: Method, asked: Sequence[str], report: pathlib.Path | None) -> Trained:
    """The model that the flags name; --overwrite is for the report, if there is one."""
    if given_flags.is_given():
        return given_flags.open_model(kind, [method], asked)[0]
    return open_flags.open_trained(kind, [method], asked, trains_anew=report is None)[0]


def _check_report(report: pathlib.Path) -> None:
    check_output(report, overwrite=run_flags.OVERWRITE.value, data=[given_flags.MODEL_DIR.value, *open_flags.sources()])


def _print_answer(answer: Answer, method: Method) -> None:
    question = ", ".join(answer.asked)
    if answer.alternatives:
        print(f"({question}): the most probable that are not known already, of all candidates, known ones included")
        for alternative in answer.alternatives:
            print(f"  {alternative.probability:.4f}  {alternative.name}")
    else:
        print(f"({question}): {answer.value:.4f} {answer.unit}")
    averaged = f" Means over {answer.trainings} trainings." if answer.trainings > 1 else ""
    print(f"\nWhy {answer.predicted}? {method.title}.{averaged}")
    for warning in answer.warnings:
        print(f"Warning: {warning}.")
    for title, examples in (("supports it", answer.proponents), ("speaks against it", answer.opponents)):
        shown = examples.assign(influence=examples.influence.map(signed))
        if "standard error" in shown:
            shown["standard error"] = shown["standard error"].map("{:.4f}".format)
        print(f"\nWhat {title} most:\n{as_text(shown)}" if len(examples) else f"\nNothing {title}.")
