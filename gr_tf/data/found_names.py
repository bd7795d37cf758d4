"""Searching the names of a dataset: entities, relations, users, items, and what people call them."""

import pandas as pd

from gr_tf.data.dataset import Dataset
from gr_tf.data.vocabulary import folded

COLUMNS = ("what", "name", "label", "training examples")


def found_names(dataset: Dataset, text: str) -> pd.DataFrame:
    """The names that contain a text, or whose labels do, whatever its case and accents.

    Returns:
        Columns COLUMNS; those that are the text first, then those that begin with it; of equals, the most frequent.
    """
    names = dataset.names_frame()
    asked = folded(text)
    forms = names[["name", "label"]].map(folded)
    contain = forms.apply(lambda column: column.str.contains(asked, regex=False)).any(axis=1)
    begin = forms.apply(lambda column: column.str.startswith(asked)).any(axis=1)
    rank = (forms == asked).any(axis=1) * 2 + begin
    order = names.assign(rank=rank)[contain].sort_values(
        ["rank", COLUMNS[-1], "what", "name"], ascending=[False, False, True, True], kind="stable"
    )
    return order[list(COLUMNS)].reset_index(drop=True)
