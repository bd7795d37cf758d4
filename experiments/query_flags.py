"""Flags of the binaries that explain one question."""

from absl import flags

from gr_tf.commands import common, k_flag
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.tasks.task import OPEN
from gr_tf.tasks.trained import Trained

_HEAD = flags.DEFINE_string("head", None, "Head of the one question to explain.")
_RELATION = flags.DEFINE_string("relation", None, "Relation of the one question to explain.")
_TAIL = flags.DEFINE_string("tail", None, "Tail to explain. Default: the most probable one that is not known.")
common.adopt(k_flag)


def asked(trained: Trained) -> Query | None:
    """The question that the flags ask, or None.

    Raises:
        InputError: if it is incomplete, or a name is unknown.
    """
    if (_HEAD.value, _RELATION.value, _TAIL.value) == (None, None, None):
        return None
    if _HEAD.value is None or _RELATION.value is None:
        raise InputError("one question needs both --head and --relation.")
    tail = OPEN if _TAIL.value is None else _TAIL.value
    query: Query = trained.task.ask(trained.parameters, (_HEAD.value, _RELATION.value, tail))[0]
    return query
