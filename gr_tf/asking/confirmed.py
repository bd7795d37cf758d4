"""Whether a set that a search found in one training does the same in trainings of other seeds."""

import dataclasses
from collections.abc import Sequence

from gr_tf.errors import whole_number

# The least number of trainings, the explained one and others: what one training shows may be its chance.
LEAST_SEEDS = 3


@dataclasses.dataclass(frozen=True)
class Confirmation:
    """In how many trainings a set does what is claimed of it.

    Attributes:
        trainings: how many there were: the explained one, where the set was found, and others of other seeds.
        held: in how many the answer is predicted with all examples, and the set does what is claimed.
        unpredicted: in how many the answer is not predicted even with all examples: they say nothing of the set.
    """

    trainings: int
    held: int
    unpredicted: int

    @classmethod
    def of(
        cls, predicted: int | None, whole: Sequence[int | None], after: Sequence[int | None], *, stays: bool
    ) -> "Confirmation":
        """From the best answers.

        Args:
            predicted: the explained answer.
            whole: the best answer with all examples, by seed.
            after: the best answer without some, by seed.
            stays: whether the claim is that the answer stays; else, that it changes.
        """
        comparable = [
            (one == predicted) == stays for before, one in zip(whole, after, strict=True) if before == predicted
        ]
        return cls(len(whole), sum(comparable), len(whole) - len(comparable))

    @property
    def failed(self) -> int:
        """In how many the answer is predicted with all examples, and the set does not do what is claimed."""
        return self.trainings - self.held - self.unpredicted

    def text(self, predicted: str) -> str:
        """In plain words; `predicted` is the explained answer, for people."""
        parts = []
        if self.failed:
            parts.append(f"it does NOT hold in {self.failed}")
        if self.unpredicted:
            say = "which says" if self.unpredicted == 1 else "which say"
            parts.append(
                f"in {self.unpredicted}, {say} nothing of it, {predicted} is not predicted even with all examples"
            )
        told = f"Confirmed in {self.held} of {self.trainings} trainings of different seeds"
        return f"{told}{': ' if parts else ''}{'; '.join(parts)}."


def check_seeds(seeds: int, what: str = "minimal sets") -> int:
    """The number of trainings, if it is enough to confirm what a search found.

    Raises:
        InputError: if it is below LEAST_SEEDS.
    """
    why = f" for {what}: one training may show them by chance"
    return whole_number("seeds", seeds, LEAST_SEEDS, flag="verify_seeds", why=why)
