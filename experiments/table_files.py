"""The flag that names finished results of gr_table1."""

import pathlib
from typing import Any

from absl import flags

from gr_tf.errors import InputError
from gr_tf.runs import files

_TABLES = flags.DEFINE_list("tables", [], "Finished results of gr_table1 (table1/result.json), one or several.")


def read() -> list[dict[str, Any]]:
    """Reads the files that the flag names.

    Raises:
        InputError: if a file is absent, or is not a result of gr_table1.
    """
    tables = []
    for name in _TABLES.value:
        table = files.read_json(pathlib.Path(name), checked=False)
        if not (isinstance(table, dict) and {"dataset", "model", "settings", "lipschitz", "retrainings"} <= set(table)):
            raise InputError(f"{name}: is not a result of gr_table1.")
        tables.append(table)
    return tables
