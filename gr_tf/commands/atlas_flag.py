"""The flag of the programs that compare influences with measured effects."""

import pathlib

from absl import flags

from gr_tf.errors import InputError

_DEFAULT = pathlib.Path("experiments", "results", "atlas_nations_distmult.npz")
ATLAS = flags.DEFINE_string(
    "atlas",
    None,
    "An atlas, the measured effect of every training example on some predictions: a .npz file, with its .json file or "
    f"result.json beside it. Default: {_DEFAULT}.",
)


def path() -> pathlib.Path:
    """The atlas's file.

    Raises:
        InputError: if it is not there; the message says where atlases are.
    """
    found = pathlib.Path(ATLAS.value or _DEFAULT)
    if not found.is_file():
        where = "those of Nations are in experiments/results/ of gr_tf's repository, and loo_atlas there makes others"
        raise InputError(f"{found}: no such file: name an atlas with --atlas; {where}.")
    return found
