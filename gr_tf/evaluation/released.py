"""Known defects of the authors' released evaluation, to see what each one changes; all are off by default."""

import itertools
from collections.abc import Collection, Sequence

from gr_tf.errors import InputError, argument

DEFECTS = {
    "softmax_retraining": "retrains with the softmax loss, whatever the explained model was trained with",
    "frozen_learning_rate": "retrains at 0.96^(k/1000) of the rate when the first k training triples are removed",
    "stop_at_empty": "a prediction without a supporting triple ends the evaluation; the later ones do not count",
    "drop_single": "a prediction with exactly one supporting triple does not count",
}


def parse_defects(names: Collection[str]) -> tuple[str, ...]:
    """The defects of these names, in the order of DEFECTS.

    Raises:
        InputError: if a name is unknown.
    """
    for name in names:
        if name not in DEFECTS:
            raise InputError(f"{argument('released_defects')} are {', '.join(DEFECTS)}; got {name!r}.")
    return tuple(name for name in DEFECTS if name in names)


def retraining_changes(defects: Collection[str]) -> dict[str, str]:
    """The settings in which the retrainings differ from the training of the explained model."""
    changes = {"softmax_retraining": ("loss", "softmax"), "frozen_learning_rate": ("learning_rate_rule", "released")}
    return dict(changes[defect] for defect in defects if defect in changes)


def evaluated_predictions(num_supporting: Sequence[int], defects: Collection[str]) -> list[int]:
    """Which predictions are evaluated.

    Args:
        num_supporting: for each prediction, how many examples have influence >= 0.
        defects: from `parse_defects`.
    """
    stops, drops = "stop_at_empty" in defects, "drop_single" in defects
    counts = itertools.takewhile(lambda count: count or not stops, num_supporting)
    return [place for place, count in enumerate(counts) if count != 1 or not drops]
