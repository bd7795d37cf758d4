"""Files that are none on a disk, such as pipes: reading them could wait for ever."""

import pathlib

from gr_tf.errors import InputError


def refuse_special(path: pathlib.Path) -> None:
    """
    Raises:
        InputError: if the path is there, but neither a regular file nor a folder.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"{path}: not a regular file: what is read here must be on a disk.")
