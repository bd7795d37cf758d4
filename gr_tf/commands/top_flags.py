"""The flag for the best few answers to an open question, and how they are told."""

import json
import sys
from collections.abc import Callable, Sequence

from absl import flags

from gr_tf.asking.answer import Answer
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import Check, check_frame, conclusion, seeds_frame
from gr_tf.asking.item_swap import ItemSwap, found_swap
from gr_tf.asking.top_answers import answers_dict, answers_frame, check_top
from gr_tf.errors import InputError
from gr_tf.report.tables import as_text
from gr_tf.runs.csv_text import csv_text
from gr_tf.tasks.kinds import KINDS
from gr_tf.tasks.task import Task

TOP = flags.DEFINE_integer("top", None, "Explain this many of the best answers to an open question.", lower_bound=1)
SWAP = flags.DEFINE_bool(
    "swap",
    False,
    "With --top of at least 2: look for the fewest of the user's own examples without which another item is the "
    "best, and confirm them; see --verify_seeds.",
)


def check(kind: str, parts: Sequence[str], *, searches: bool) -> None:
    """Refuses flags that do not go together with --top, before any work.

    Args:
        kind: of the data.
        parts: of the question.
        searches: whether smallest sets are asked for.

    Raises:
        InputError: naming the flag.
    """
    if TOP.value is None:
        if SWAP.value:
            raise InputError("--swap is of the best item and a runner-up: ask for both with --top=2, or more.")
        return
    check_top(parts, TOP.value)
    if SWAP.value and TOP.value < 2:
        raise InputError(f"--swap is of the best item and a runner-up: ask for both with --top=2; got {TOP.value}.")
    if SWAP.value and KINDS[kind].own_examples is Task.own_examples:
        raise InputError(f"--swap is of users' own examples; {kind} have none.")
    if searches:
        raise InputError("--minimal is of the best answer only: leave out --top.")


def tell(
    output: str,
    asker: Asker,
    answers: Sequence[Answer],
    checks: Sequence[Sequence[Check]],
    print_why: Callable[[Answer], None],
    *,
    swap: ItemSwap | None,
    spreadsheet_safe: bool,
) -> None:
    """Prints the answers.

    Args:
        output: "text", "json", or "csv".
        asker: who answered.
        answers: the best first, at least one.
        checks: of each answer, if there are any.
        print_why: prints one answer's examples as text.
        swap: the user's own examples without which another item wins, if they were looked for.
        spreadsheet_safe: see csv_text.
    """
    quality = asker.quality_at(answers[0].explanation.query)
    if output == "csv":
        print(csv_text(answers_frame(answers), spreadsheet_safe=spreadsheet_safe), end="")
    elif output == "json":
        told = {
            "asked": list(answers[0].asked),
            "answers": answers_dict(answers, checks),
            **({} if swap is None else {"swap": swap.to_dict()}),
            "quality": quality.to_dict(),
            **({"how_checked": asker.checker.how} if any(checks) else {}),
            "model": asker.facts(),
        }
        print(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        print(f"{quality.question}\n{as_text(quality.frame())}\n")
        print(f"({', '.join(answers[0].asked)}): {asker.task.open_title}")
        for place, answer in enumerate(answers, start=1):
            print(f"  {place}. {answer.value:.4f}  {answer.predicted}")
        for answer, own in zip(answers, checks, strict=True):
            print_why(answer)
            if own:
                print(f"\nIs it true? {asker.checker.how}:\n{as_text(check_frame(own))}\n{conclusion(own)}")
                print(f"\nThe {answer.unit} of each training:\n{as_text(seeds_frame(own))}")
        for found in found_swap(swap) if swap is not None else ():
            title = found.title if found.title.endswith("?") else f"{found.title}."
            print(f"\n{title} {found.text}" + (f"\n{as_text(found.examples)}" if len(found.examples) else ""))
    if TOP.value is not None and len(answers) < TOP.value:
        print(f"No more than {len(answers)} answers are left.", file=sys.stderr)
