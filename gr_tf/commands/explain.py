"""Asks a model of your own data why it predicts something, and whether the answer is true.

gr_tf explain --data_dir=my/folder --query="poland,ngoorgs3,?" --verify
gr_tf explain --data_dir=my/folder --query="?,ngoorgs3,usa"  # or "poland,?,usa": which head, which relation?
gr_tf explain --data_dir=my/folder --query="poland,ngoorgs3,?" --rather_than=uk  # why not uk?
gr_tf explain --data_dir=my/folder --group=test  # what helps, and what hurts, all test questions?
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
from collections.abc import Iterable, Sequence
from typing import Any

from absl import flags

from gr_tf.asking import early
from gr_tf.asking.answer import Answer, parse_question, signed
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import Check, check_frame, conclusion, seeds_frame
from gr_tf.asking.confirmed import LEAST_SEEDS, check_seeds
from gr_tf.asking.groups import NUM_BEST, group_of
from gr_tf.asking.item_swap import found_swap, item_swap
from gr_tf.asking.minimal import minimal_sets, refuse_groups, refuse_unless_top, refuse_without_alternatives
from gr_tf.asking.page import Found, page
from gr_tf.asking.rather_than import other_query
from gr_tf.asking.top_answers import check_answers, top_answers
from gr_tf.asking.top_page import top_page
from gr_tf.asking.transfer import found_transfer, refuse_without_subjects, transfer
from gr_tf.attribution.base import checked_k
from gr_tf.attribution.methods import Method, method_for, refuse_averaging
from gr_tf.commands import engine_flags, given_flags, help_text, k_flag, open_flags, run_flags, top_flags
from gr_tf.commands.output_flag import OUTPUT as _OUTPUT
from gr_tf.commands.retraining_flag import RETRAINING_STEPS
from gr_tf.commands.spreadsheet_flag import SPREADSHEET_SAFE
from gr_tf.errors import InputError
from gr_tf.report.tables import as_text
from gr_tf.runs import files
from gr_tf.runs.csv_text import csv_text
from gr_tf.runs.outputs import check_beside_run, check_output
from gr_tf.tasks.kinds import KINDS
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

_GROUP_PARTS = dict.fromkeys(part for task in KINDS.values() for part in task.columns)
_QUERY = flags.DEFINE_string(
    "query",
    None,
    f"The question. {' '.join(f'For {kind}: ' + ','.join(task.parts) + '.' for kind, task in KINDS.items())} "
    "What is itself called ? is written \\?.",
)
_RATHER_THAN = flags.DEFINE_string(
    "rather_than",
    None,
    "Another answer to --query, named as in a question: explains the prediction less that of this answer.",
)
_GROUP = flags.DEFINE_string(
    "group",
    None,
    "Instead of --query: explains the mean prediction of many questions. test or valid: those held out. "
    f"PART:NAME: those of them with this name in a part ({', '.join(_GROUP_PARTS)}). best:QUESTION: the best "
    f"{NUM_BEST} answers to an open question, such as a user's recommendations. Or a table of questions: a file with "
    "the columns of these parts.",
)
_METHOD = flags.DEFINE_string("method", None, "A method for the kind of the data, see above. Default: the first.")
_TRAININGS = flags.DEFINE_integer(
    "trainings", 1, "Average the explanation over this many trainings, and say which signs are certain.", lower_bound=1
)
_VERIFY = flags.DEFINE_bool(
    "verify", False, "Train again without the first example, and without all of the first k, and show what changed."
)
_VERIFY_SEEDS = flags.DEFINE_integer(
    "verify_seeds",
    1,
    "Seeds for --verify and --transfer; several give an interval. Also the trainings in which --minimal and --swap "
    f"confirm a set: at least {LEAST_SEEDS}.",
    lower_bound=1,
)
_CONTROLS = flags.DEFINE_bool(
    "controls",
    True,
    "With --verify: train without as many random related examples, too, and with another seed: what chance does.",
)
_REPORT = flags.DEFINE_string("report", None, "Write the answer as one HTML page to this file.")
_MINIMAL = flags.DEFINE_bool(
    "minimal", False, "Look for the fewest examples without which the prediction changes, and the fewest that suffice."
)
_MOST = flags.DEFINE_integer(
    "most_retrainings",
    100,
    "At most this many retrainings for each of --minimal's two searches, and for --swap.",
    lower_bound=1,
)
_TRANSFER = flags.DEFINE_integer(
    "transfer",
    None,
    "Give the supporting examples of the question's head, or user, to this many others, each in a training of its own, "
    "and see whether they get the same answer; see --verify_seeds.",
    lower_bound=1,
)
more_help = open_flags.methods_table


def sections() -> list[help_text.Section]:
    """The flags that --help lists."""
    asked = (_QUERY, _RATHER_THAN, _GROUP, _METHOD, k_flag.K, top_flags.TOP, _TRAININGS)
    checked = (
        *(_VERIFY, _VERIFY_SEEDS, _CONTROLS, _MINIMAL, top_flags.SWAP, _MOST, _TRANSFER),
        *(RETRAINING_STEPS, *engine_flags.FLAGS),
    )
    told = (("The question", asked), ("The check", checked), ("The output", (_OUTPUT, SPREADSHEET_SAFE, _REPORT)))
    return [
        *((title, [flag.name for flag in some]) for title, some in told),
        given_flags.section(),
        *open_flags.sections(explains=True),
    ]


def main() -> None:
    """Explains."""
    report = None if _REPORT.value is None else pathlib.Path(_REPORT.value)
    search = _searches()
    # With --minimal and --swap, --verify_seeds is the number of trainings that confirm a set.
    confirms = search or top_flags.SWAP.value
    verify = _VERIFY.value or (bool(flags.FLAGS["verify_seeds"].present) and not confirms)
    kind = given_flags.kind(overwrites=report is not None)
    given_flags.check(kind, searches=search, trainings=_TRAININGS.value, overwrites=report is not None)
    method = method_for(kind, _METHOD.value, given=given_flags.is_given())
    refuse_averaging(method, _TRAININGS.value)
    method = open_flags.with_settings(kind, method)
    settings = open_flags.ask_settings(kind)
    question = _question(kind, report, verify or search or bool(_TRANSFER.value) or top_flags.SWAP.value, search)
    trained = _open(kind, method, parse_question(question) if question else (), report)
    asker = Asker(trained, **settings)
    if top_flags.TOP.value is None:
        _tell_one(asker, question, method, report, verify=verify, search=search)
    else:
        _tell_top(asker, question, method, report, top_flags.TOP.value, verify=verify)


def _searches() -> bool:
    return _MINIMAL.value or (bool(flags.FLAGS["most_retrainings"].present) and not top_flags.SWAP.value)


def _tell_one(
    asker: Asker, question: str, method: Method, report: pathlib.Path | None, *, verify: bool, search: bool
) -> None:
    """Explains one prediction, or a combination of several."""
    is_text = _OUTPUT.value == "text"
    answer = _answer(asker, question, method.name)
    quality = asker.quality_at(answer.explanation.query)
    if search:
        refuse_unless_top(asker, answer)
    if is_text:
        print(f"{quality.question}\n{as_text(quality.frame())}\n")
        _print_answer(asker, answer, method)
    checks: Sequence[Check] = ()
    if verify and len(answer.supporting_ids):
        checks = asker.check(answer, _VERIFY_SEEDS.value, run_flags.JOBS.value, controls=_CONTROLS.value)
        if is_text:
            print(f"\nIs it true? {asker.checker.how}:\n{as_text(check_frame(checks))}\n{conclusion(checks)}")
            print(f"\n{answer.about.quantity} of each training:\n{as_text(seeds_frame(checks))}")
    elif verify:
        print("Nothing supports the prediction, so there is nothing to remove and verify.", file=sys.stderr)
    found, told_found = _found(asker, answer, search)
    if is_text:
        for part in found:
            examples = f"\n{as_text(part.examples)}" if len(part.examples) else ""
            print(f"\n{part.title}. {part.text}{examples}")
    if report is not None:
        _check_report(report)  # Another process may have written it meanwhile.
        files.write_text(report, page(asker, answer, checks, found))
        print(f"Written to {report}.", file=sys.stderr)
    if _OUTPUT.value == "csv":
        print(csv_text(answer.named, spreadsheet_safe=SPREADSHEET_SAFE.value), end="")
    elif _OUTPUT.value == "json":
        told = {
            **answer.to_dict(),
            "quality": quality.to_dict(),
            "checks": [check.to_dict() for check in checks],
            **({"how_checked": asker.checker.how, "conclusion": conclusion(checks)} if checks else {}),
            "model": asker.facts(),
            **told_found,
        }
        print(json.dumps(told, indent=1, ensure_ascii=False))


def _found(asker: Asker, answer: Answer, searches: bool) -> tuple[list[Found], dict[str, Any]]:
    """What --minimal and --transfer find, for people and for JSON."""
    found, told = list[Found](), dict[str, Any]()
    if searches:
        seeds = _VERIFY_SEEDS.value if _VERIFY_SEEDS.present else LEAST_SEEDS
        minimal = minimal_sets(asker, answer, most=_MOST.value, jobs=run_flags.JOBS.value, seeds=seeds)
        found += minimal.found
        told["minimal"] = minimal.to_dict()
    if _TRANSFER.value:
        moved = transfer(asker, answer, count=_TRANSFER.value, seeds=_VERIFY_SEEDS.value, jobs=run_flags.JOBS.value)
        found.append(found_transfer(moved))
        told["transfer"] = moved.to_dict()
    return found, told


def _tell_top(
    asker: Asker, question: str, method: Method, report: pathlib.Path | None, count: int, *, verify: bool
) -> None:
    """Explains the best few answers instead of the best one."""
    answers = top_answers(asker, question, count, method.name, k_flag.K.value, _TRAININGS.value)
    checks: Sequence[Sequence[Check]] = [()] * len(answers)
    if verify:
        checks = check_answers(asker, answers, _VERIFY_SEEDS.value, run_flags.JOBS.value, controls=_CONTROLS.value)
    swap = None
    if top_flags.SWAP.value:
        seeds = max(_VERIFY_SEEDS.value, LEAST_SEEDS)
        swap = item_swap(asker, answers, most=_MOST.value, jobs=run_flags.JOBS.value, seeds=seeds)
    top_flags.tell(
        _OUTPUT.value,
        asker,
        answers,
        checks,
        lambda answer: _print_why(answer, method),
        swap=swap,
        spreadsheet_safe=SPREADSHEET_SAFE.value,
    )
    if report is not None:
        _check_report(report)
        files.write_text(report, top_page(asker, answers, checks, [] if swap is None else found_swap(swap)))
        print(f"Written to {report}.", file=sys.stderr)


def _question(kind: str, report: pathlib.Path | None, retrains: bool, searches: bool) -> str:
    """The question, empty of a group, after a look for all mistakes that can be seen before any training.

    Raises:
        InputError: if a flag is wrong; the message names it.
    """
    question, task = _QUERY.value, KINDS[kind]
    if _GROUP.value is not None:
        for flag in (_QUERY, _RATHER_THAN, top_flags.TOP, top_flags.SWAP):
            if flag.present:
                raise InputError(f"--group asks many questions, --{flag.name} is about one: name one of the two.")
        if searches:
            refuse_groups()
        question = ""
    elif question is None:
        raise InputError(f"ask a question with --query={','.join(task.parts)}.")
    else:
        _check_asked(kind, parse_question(question), searches)
    checked_k(k_flag.K.value)
    check_seeds(_VERIFY_SEEDS.value if searches and _VERIFY_SEEDS.present else LEAST_SEEDS)
    if _TRANSFER.value:
        _check_transfer(kind)
    if SPREADSHEET_SAFE.value and _OUTPUT.value != "csv":
        raise InputError(f"--spreadsheet_safe is for --output=csv; got --output={_OUTPUT.value}.")
    if retrains and _OUTPUT.value == "csv" and report is None:
        raise InputError(
            "--output=csv has no place for what --verify, --minimal, and --transfer find: "
            "ask for text, json or --report."
        )
    if report is not None:
        if not given_flags.is_given():
            check_beside_run(report, open_flags.run_folder(kind))
        _check_report(report)
    return question


def _check_transfer(kind: str) -> None:
    refuse_without_subjects(KINDS[kind].has_subjects)
    for flag in (_RATHER_THAN, _GROUP, top_flags.TOP):
        if flag.present:
            raise InputError(f"--transfer is of one prediction: leave out --{flag.name}.")


def _check_asked(kind: str, parts: Sequence[str], searches: bool) -> None:
    """Refuses what cannot be a question, or not with the other flags."""
    task = KINDS[kind]
    task.check_parts(parts)
    top_flags.check(kind, parts, searches=searches)
    if top_flags.TOP.present and _RATHER_THAN.present:
        raise InputError("--rather_than is of one answer: leave out --top.")
    if searches and _RATHER_THAN.value is None:
        refuse_without_alternatives(task.leaves_open(parts))


def _open(kind: str, method: Method, asked: Sequence[str], report: pathlib.Path | None) -> Trained:
    """The model that the flags name; --overwrite is for the report, if there is one."""
    if given_flags.is_given():
        return given_flags.open_model(kind, [method], asked, also=_also_asked)[0]
    return open_flags.open_trained(kind, [method], asked, also=_also_asked, trains_anew=report is None)[0]


def _also_asked(task: Task[Any]) -> Iterable[Any]:
    """The queries of --rather_than or --group, as far as they are known before any training; refuses what can be."""
    parts = parse_question(_QUERY.value or "") if _GROUP.value is None else ()
    early.refuse_question(task, parts, rather_than=_RATHER_THAN.value, swaps=top_flags.SWAP.value, searches=_searches())
    if _TRANSFER.value:
        early.refuse_transfer(task, parts, given=given_flags.is_given())
    verifies = _VERIFY.value or _VERIFY_SEEDS.present
    least = LEAST_SEEDS if _searches() else 2 if verifies and _CONTROLS.value else 1
    seeds = max(_VERIFY_SEEDS.value, least) if verifies or _searches() or _TRANSFER.value else 0
    early.refuse_retraining(task, RETRAINING_STEPS.value, trainings=_TRAININGS.value, seeds=seeds)
    if _GROUP.value is not None:
        return group_of(task, _GROUP.value).queries
    if _RATHER_THAN.value is not None:
        return [other_query(task, parts, _RATHER_THAN.value)]
    return ()


def _answer(asker: Asker, question: str, method: str) -> Answer:
    how = (method, k_flag.K.value, _TRAININGS.value)
    if _GROUP.value is not None:
        return asker.group_answer(_GROUP.value, *how)
    return asker.answer(question, *how, rather_than=_RATHER_THAN.value)


def _check_report(report: pathlib.Path) -> None:
    check_output(report, overwrite=run_flags.OVERWRITE.value, data=[given_flags.MODEL_DIR.value, *open_flags.sources()])


def _print_answer(asker: Asker, answer: Answer, method: Method) -> None:
    question = ", ".join(answer.asked)
    if answer.alternatives:
        print(f"({question}): {asker.task.open_title}")
        for alternative in answer.alternatives:
            print(f"  {alternative.value:.4f}  {alternative.name}")
    elif answer.is_plain:
        print(f"({question}): {answer.value:.4f} {answer.unit}")
    if not answer.is_plain:
        print(answer.about.told(answer.value))
    _print_why(answer, method)


def _print_why(answer: Answer, method: Method) -> None:
    averaged = f" Means over {answer.trainings} trainings." if answer.trainings > 1 else ""
    print(f"\n{answer.about.title} {method.title}.{averaged}")
    for warning in answer.warnings:
        print(f"Warning: {warning}.")
    about = answer.about
    for title, examples in ((about.supports, answer.proponents), (about.opposes, answer.opponents)):
        shown = examples.assign(influence=examples.influence.map(signed))
        if "standard error" in shown:
            shown["standard error"] = shown["standard error"].map("{:.4f}".format)
        print(f"\nWhat {title} most:\n{as_text(shown)}" if len(examples) else f"\nNothing {title}.")
