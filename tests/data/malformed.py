"""Writes malformed files, and looks at how they are refused."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gr_tf.errors import InputError

# A value that messages cut.
LONG = "x" * 500
CUT = "'" + "x" * 59 + "... (502 characters)"
# Content by file name: text, bytes, an array, columns of a Parquet file; a name that ends in / is a folder's.
Files = Mapping[str, Any]


def write(folder: pathlib.Path, contents: Files) -> None:
    for name, content in contents.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir()
        elif isinstance(content, dict):
            pd.DataFrame(content).to_parquet(path)
        elif isinstance(content, np.ndarray):
            np.save(path, content)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def refused(folder: pathlib.Path, contents: Files, read: Callable[[pathlib.Path], object], message: str) -> None:
    """Files of a folder are refused in one line that begins with the folder, and has the message."""
    write(folder, contents)
    before = sorted(folder.iterdir())
    with pytest.raises(InputError) as caught:
        read(folder)
    line = str(caught.value)
    assert line.startswith(str(folder)), line
    assert line[len(str(folder)) :].lstrip("/").startswith(message), line
    assert len(line) - len(str(folder)) < 400
    assert line.isprintable()
    assert sorted(folder.iterdir()) == before
