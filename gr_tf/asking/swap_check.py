"""Whether another item wins without a user's own examples in other trainings too, and what chance does."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.asking.checker import Checker, random_ids
from gr_tf.asking.confirmed import Confirmation
from gr_tf.types import Ids

# In the place of an item where none is left.
_NO_ITEM = "-"


@dataclasses.dataclass(frozen=True)
class SwapCheck:
    """The best items, ids or None where no item is left, of trainings of several seeds.

    The first seed is the explained model's, unless checks go on from the trained model.

    Attributes:
        best: the explained item.
        instead: the item that won where the set was found.
        names: of all these items, for people.
        count: how many examples the set has.
        whole: the best item with all examples, by seed.
        without: the best item without the set, by seed.
        random: the best item without as many random examples of the user, others for each seed; None: the set is all
            that the user has.
    """

    best: int
    instead: int | None
    names: Mapping[int, str]
    count: int
    whole: tuple[int | None, ...]
    without: tuple[int | None, ...]
    random: tuple[int | None, ...] | None

    @property
    def confirmed(self) -> Confirmation:
        """In how many trainings another item wins without the set."""
        return Confirmation.of(self.best, self.whole, self.without, stays=False)

    @property
    def by_chance(self) -> Confirmation | None:
        """In how many trainings another item wins without random examples; None: there is no such control."""
        return None if self.random is None else Confirmation.of(self.best, self.whole, self.random, stays=False)

    @property
    def same_item(self) -> int:
        """In how many of the trainings that confirm the set the same item wins as where it was found."""
        pairs = zip(self.whole, self.without, strict=True)
        return sum(then == self.best and now == self.instead for then, now in pairs)

    @property
    def other_seeds(self) -> int:
        """In how many trainings another item wins although nothing is removed."""
        return sum(item != self.best for item in self.whole)

    @property
    def text(self) -> str:
        """In plain words, with chance beside it."""
        confirmed, chance, trainings = self.confirmed, self.by_chance, len(self.whole)
        told = [confirmed.text(self.name(self.best))]
        if confirmed.held:
            told.append(f"The winner is {self.name(self.instead)} in {self.same_item} of these {confirmed.held}.")
        others = "seeds" if trainings > 1 else "seed"
        seeds = f"with nothing removed, in {self.other_seeds} of {trainings} {others}"
        if chance is None:
            told.append(f"Chance: another item wins {seeds}; the user has no other examples to remove at random.")
            return " ".join(told)
        some = f"{self.count} random examples" if self.count > 1 else "a random example"
        told.append(
            f"Chance: without {some} of the user another item wins in {chance.held} of {trainings} trainings; {seeds}."
        )
        if confirmed.held <= chance.held:
            told.append("The set is NO better than chance.")
        return " ".join(told)

    @property
    def frame(self) -> pd.DataFrame:
        """The best item of each training: with all examples, without the set, and without random ones."""
        these = "these" if self.count > 1 else "this"
        columns = {"nothing": self.whole, these: self.without}
        if self.random is not None:
            columns[f"{self.count} random of the user's"] = self.random
        named = {f"best without {name}": self._named(items) for name, items in columns.items()}
        return pd.DataFrame({"training": [str(place) for place in range(1, len(self.whole) + 1)], **named})

    def name(self, item: int | None) -> str:
        """What people call one of the items."""
        return _NO_ITEM if item is None else self.names[item]

    def _named(self, items: Sequence[int | None]) -> list[str]:
        return [self.name(item) for item in items]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {"trainings": len(self.whole), "held": self.confirmed.held, "unpredicted": self.confirmed.unpredicted}
        chance = self.by_chance
        return {
            **told,
            "same_item": self.same_item,
            "held_without_random": None if chance is None else chance.held,
            "another_item_with_nothing_removed": self.other_seeds,
            "best_with_all": self._named(self.whole),
            "best_without": self._named(self.without),
            "best_without_random": None if self.random is None else self._named(self.random),
        }


def check_swap(
    checker: Checker, query: Any, chosen: Ids, own: Ids, instead: int | None, *, seeds: int, jobs: int
) -> SwapCheck:
    """Trains again from several seeds: with all examples, without a set, and without random ones of the user's own.

    Args:
        checker: of the explained model.
        query: the explained question with its best item.
        chosen: the set, which are some of `own`.
        own: all examples of the user.
        instead: the item that won where the set was found.
        seeds: how many trainings of each; the first has the explained model's seed.
        jobs: trainings at a time; they change no result.
    """
    task, count = checker.task, len(chosen)
    removals = [[own[:0]] * seeds, [np.sort(chosen)] * seeds]
    if count < len(own):
        removals.append([random_ids(own, count, place, query) for place in range(seeds)])
    tops = checker.tops_by_seed(query, removals, jobs)
    best = task.answer_of(query)
    assert best is not None  # The item is asked for.
    seen = {best, instead, *(item for by_seed in tops for item in by_seed)}
    names = {item: task.answer_name(query, item) for item in seen if item is not None}
    whole, without, *random = map(tuple, tops)
    return SwapCheck(best, instead, names, count, whole, without, random[0] if random else None)
