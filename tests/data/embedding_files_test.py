"""Names of embeddings' rows: which column has the ids."""

import pathlib

import numpy as np
import pytest

from gr_tf.data.embedding_files import read_named_rows
from gr_tf.errors import InputError


def names(folder: pathlib.Path, text: str) -> tuple[str, ...]:
    np.save(folder / "entities.npy", np.zeros((3, 2)))
    (folder / "entities.tsv").write_text(text)
    return read_named_rows(folder, "entity").names


@pytest.mark.parametrize(
    "text",
    [
        "a\nb\nc\n",
        "0\ta\n1\tb\n2\tc\n",
        "2\tc\n0\ta\n1\tb\n",
        "a\t0\nc\t2\nb\t1\n",
        "label\tid\nc\t2\na\t0\nb\t1\n",
    ],
)
def test_ids_are_found(tmp_path: pathlib.Path, text: str) -> None:
    assert names(tmp_path, text) == ("a", "b", "c")


def test_the_first_line_says_which_of_two_columns_of_numbers_are_ids(tmp_path: pathlib.Path) -> None:
    rows = "2\t0\n0\t1\n1\t2\n"
    assert names(tmp_path, f"label\tid\n{rows}") == ("2", "0", "1")
    assert names(tmp_path, f"id\tlabel\n{rows}") == ("1", "2", "0")
    assert names(tmp_path, "0\t0\n1\t1\n2\t2\n") == ("0", "1", "2")
    with pytest.raises(InputError, match=r"entities.tsv: both columns have the row numbers"):
        names(tmp_path, rows)


def test_a_column_of_ids_without_all_rows_is_refused(tmp_path: pathlib.Path) -> None:
    for text in ("0\ta\n1\tb\n3\tc\n", "id\tlabel\na\t0\nb\t1\nc\t2\n"):
        with pytest.raises(InputError, match=r"entities.tsv: no column of ids has the row numbers 0 to 2"):
            names(tmp_path, text)
