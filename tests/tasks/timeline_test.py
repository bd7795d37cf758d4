"""What came before an answer: the history, and how many of the shown examples share each of its items."""

import numpy as np
import pandas as pd

from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSplit
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.training.sequence_config import SequenceConfig


def test_an_example_counts_once_however_often_it_has_the_item() -> None:
    rows = [(user, item) for user in ("ann", "bob") for item in ("a", "a", "b", "a", "c", "b")]
    split = SequenceSplit(min_interactions=1, window=4, test_share=0.0, valid_share=0.0)
    data = load_sequences(pd.DataFrame(rows, columns=["user", "item"]), split=split)
    task = SequenceTask(data, SequenceConfig(dim=2, hidden=2, epochs=1, kept_epochs=()))
    query, _ = task.read_question(["a", "b", "?"])
    ids = np.arange(task.num_examples)
    histories = data.train.histories
    item_of = {name: data.target_of(name) for name in "ab"}
    counts = {name: sum(item in history for history in histories.tolist()) for name, item in item_of.items()}
    occurrences = {name: int((histories == item).sum()) for name, item in item_of.items()}
    assert task.timeline(query, ids) == [("a", counts["a"]), ("b", counts["b"])]
    assert counts["a"] < occurrences["a"]
