"""Which training examples look like mistakes: scores [num_examples], high for the suspicious.

By self-influence (Koh and Liang 2017; Pruthi et al. 2020, Section 4: a mislabeled example is what mostly
lowers its own loss), by harm to the validation examples, or by loss, which needs no attribution.
"""

from collections.abc import Mapping

import numpy as np

from gr_tf.attribution.methods import explainer, method_of
from gr_tf.attribution.tracin import TracIn
from gr_tf.errors import InputError
from gr_tf.tasks.trained import Checkpoint, Trained

_BY_LOSSES = {
    "tracin": "self-influence by TracIn: the squared norm of its gradient",
    "harm": "how much it raises the mean loss of the validation examples, by TracIn",
    "loss": "its loss, without attribution",
}


def ways_of(kind: str) -> Mapping[str, str]:
    """The ways to rank the examples of a kind of data, by name, with what each is.

    Every kind has three. Where the kind's default method estimates a prediction without an example, there is a fourth:
    how much larger the example's own loss would be without it.
    """
    method = method_of(kind, None)
    text = f"self-influence by {method.title.partition(':')[0]}: how much larger its own loss would be without it"
    return ({method.name: text} if method.estimates else {}) | _BY_LOSSES


def suspicion(trained: Trained, way: str) -> np.ndarray:
    """Scores [num_examples] of training examples, high for the suspicious; in float64 where the model allows it.

    Args:
        trained: the model.
        way: a key of `ways_of` its kind.

    Raises:
        InputError: if there is no such way, or nothing to do harm to.
    """
    task, ways = trained.task, ways_of(trained.task.kind)
    if way not in ways:
        raise InputError(f"by must be one of {', '.join(ways)} for {task.kind}; got {way!r}.")
    if way not in _BY_LOSSES:
        before, without = explainer(trained, way).own_values(np.arange(task.num_examples))
        # Not the fall of the value: that of a wrong probability is small to begin with (BUILD_NOTES, "Suspects by the
        # log-probability").
        return task.own_losses(without) - task.own_losses(before)
    losses = task.losses(task.exact_dtype)
    tracin = TracIn(losses, [Checkpoint(trained.parameters, task.config.learning_rate)])
    if way == "tracin":
        return tracin.self_influences()
    if way == "loss":
        return tracin.training_losses()
    validation = losses.validation()
    if not len(validation[0]):
        raise InputError("harm is to the validation examples, and there are none.")
    return -tracin.influences(validation, on_losses=True)
