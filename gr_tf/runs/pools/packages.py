"""Packages that only one engine needs."""

import importlib
from typing import Any

from gr_tf.errors import InputError, argument


def needed(package: str, engine: str) -> Any:
    """A package.

    Raises:
        InputError: if it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError:
        raise InputError(
            f"{argument('engine', engine)} needs the package {package}: pip install 'gr_tf[{engine}]'."
        ) from None
