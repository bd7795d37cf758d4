"""Flags of the binaries that remove and retrain."""

from collections.abc import Sequence

from absl import flags

from gr_tf.commands import removal_flags
from gr_tf.evaluation.released import DEFECTS

flags.adopt_module_key_flags(removal_flags)

NH_SEED, K_LIST = removal_flags.NH_SEED, removal_flags.K_LIST
RELEASED_DEFECTS = flags.DEFINE_list(
    "released_defects",
    [],
    "Known defects of the authors' released evaluation to repeat: "
    + "; ".join(f"{name}: {what}" for name, what in DEFECTS.items())
    + ".",
)


def methods() -> Sequence[str]:
    """Whose explanations to remove."""
    return removal_flags.METHODS.value or ("NH", "GR")
