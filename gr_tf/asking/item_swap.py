"""Which of a user's own examples, had they not been there, would let another item win?"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.asking.answer import Answer
from gr_tf.asking.asker import Asker
from gr_tf.asking.confirmed import LEAST_SEEDS, check_seeds
from gr_tf.asking.minimal import SmallestSet, smallest_set
from gr_tf.asking.page import Found
from gr_tf.asking.swap_check import SwapCheck, check_swap
from gr_tf.errors import InputError
from gr_tf.runs.progress import progress
from gr_tf.types import Ids


@dataclasses.dataclass(frozen=True, eq=False)
class ItemSwap:
    """The few of a user's own examples without which another item is the best, found by retraining.

    Attributes:
        smallest: these examples.
        best: the item that is the best with them.
        instead: the item that is the best without them, for people; None if no set was found.
        examples: the examples for people, with `difference`: by how much each supports the best item more than the
            runner-up.
        check: trainings of other seeds, and what chance does; None if no set was found.
    """

    smallest: SmallestSet
    best: str
    instead: str | None
    examples: pd.DataFrame
    check: SwapCheck | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = dataclasses.asdict(self.smallest)
        confirmed = None if self.check is None else self.check.to_dict()
        told |= {"best": self.best, "instead": self.instead, "examples": self.examples.to_dict("records")}
        return {**told, "confirmed": confirmed}


def item_swap(
    asker: Asker, answers: Sequence[Answer], *, most: int = 50, jobs: int = 1, seeds: int = LEAST_SEEDS
) -> ItemSwap:
    """Searches for the fewest of the user's own examples without which another item is the best, and confirms them.

    It tries them in the order of the difference of their influences on the best item and on the runner-up. Every set
    that counts was trained without; see minimal.smallest_set. What is found is confirmed in trainings of other seeds,
    beside as many random examples of the user, and nothing.

    Args:
        asker: the asker of the explained model.
        answers: from top_answers, at least two.
        most: how many retrainings the search may take.
        jobs: trainings at a time; they change no result.
        seeds: in how many trainings a set is confirmed: the explained one, and others of other seeds.

    Raises:
        InputError: if there is no runner-up, the data have no users whose own examples these could be, or seeds is too
            small.
    """
    check_seeds(seeds, "an item swap")
    if len(answers) < 2:
        raise InputError("an item swap is of the best item and a runner-up: ask for at least 2 answers.")
    task, (best, other) = asker.task, answers[:2]
    query, own = best.explanation.query, task.own_examples(best.explanation.query)
    if own is None:
        raise InputError(f"an item swap is of users' own examples; {task.kind} have none.")
    answer = task.answer_of(query)
    if asker.trained.goes_on and asker.checker.tops_without(query, [own[:0]], jobs) != [answer]:
        raise InputError(
            f"an item swap needs a best item that stays if the training goes on with all examples; {best.predicted} "
            "does not."
        )
    ids, differences = _differences(best, other, own)
    instead: dict[tuple[int, ...], int | None] = {}
    with progress("retrainings", most) as bar:

        def another_wins(sets: Sequence[tuple[int, ...]]) -> list[bool]:
            tops = asker.checker.tops_without(query, [np.array(chosen, np.int64) for chosen in sets], jobs, bar)
            instead.update(zip(sets, tops, strict=True))
            return [top != answer for top in tops]

        found = smallest_set(ids[differences > 0].tolist(), another_wins, most=most)
        bar.pass_over(most - found.retrainings)
    chosen = found.example_ids or ()
    winner = instead.get(chosen)
    examples = task.examples(np.array(chosen, np.int64), query)
    places = [int(np.flatnonzero(ids == example_id)[0]) for example_id in chosen]
    examples.insert(0, "difference", differences[places])
    name = None if winner is None else task.answer_name(query, winner)
    check = None
    if found.example_ids is not None:
        ids_found = np.array(chosen, np.int64)
        check = check_swap(asker.checker, query, ids_found, own, winner, seeds=seeds, jobs=jobs)
    return ItemSwap(found, best.predicted, name, examples.assign(example_id=list(chosen)), check)


def found_swap(swap: ItemSwap) -> list[Found]:
    """Describes a swap for people: the set, and whether other trainings confirm it."""
    told = [_found(swap)]
    if swap.check is not None:
        told.append(
            Found("Does another item win in other trainings, too?", swap.check.text, swap.check.frame, "trainings")
        )
    return told


def _found(swap: ItemSwap) -> Found:
    tried = f"{swap.smallest.retrainings} retrainings"
    tried += ", no more were allowed" if swap.smallest.exhausted else ""
    if swap.smallest.example_ids is None:
        return Found(
            f"What of the user's own would let another item win than {swap.best}: nothing was found",
            f"Tried in {tried}: without the user's own examples that support it more than the runner-up, the most "
            "first.",
        )
    count = len(swap.smallest.example_ids)
    return Found(
        f"The fewest of the user's own examples, of those tried, without which another item wins: {count}",
        f"Trained again without {'these' if count > 1 else 'this'}, {swap.instead or 'nothing'} is the best instead of "
        f"{swap.best} ({tried}).",
        swap.examples.assign(difference=swap.examples.difference.map("{:+.4f}".format)).astype(str),
    )


def _differences(best: Answer, other: Answer, own: Ids) -> tuple[Ids, np.ndarray]:
    """Own example ids [n], and [n] by how much each supports the best item more than the other; the most first.

    An example that a method does not consider for one of the two has no influence on it.
    """
    influences = []
    for explanation in (best.explanation, other.explanation):
        of_all = dict(zip(explanation.example_ids.tolist(), explanation.influences.tolist(), strict=True))
        influences.append(np.array([of_all.get(example_id, 0.0) for example_id in own.tolist()]))
    differences: np.ndarray = influences[0] - influences[1]
    order = np.argsort(-differences, kind="stable")
    return own[order], differences[order]
