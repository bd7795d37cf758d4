"""The task of sequences: a history of choices, and the probability of the next item."""

import itertools
import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.data.frames import FrameData
from gr_tf.data.rating_sources import RATING_DATASETS
from gr_tf.data.sequence_sources import load_sequences, sequences_of_frames
from gr_tf.data.sequences import OWN_SPLIT, SequenceQuery, Sequences, SequenceSet, SequenceSplit
from gr_tf.errors import InputError, argument, short
from gr_tf.models.parameters import Parameters
from gr_tf.models.sequence_ranking import next_item_metrics, ranks_and_losses
from gr_tf.models.sequence_recommender import NAMES, SequenceRecommender
from gr_tf.runs.engine import tf
from gr_tf.tasks.drawing import Drawing
from gr_tf.tasks.example_losses import Batch, ExampleLosses
from gr_tf.tasks.task import OPEN, Task, name_in
from gr_tf.tasks.test_predictions import ExplainedPrediction
from gr_tf.training.driver import Selection
from gr_tf.training.sequence_config import PROTOCOLS, SequenceConfig
from gr_tf.training.sequence_steps import SequenceSteps
from gr_tf.types import Ids, Rows, Tensor

_NOTHING_BEFORE = "(nothing before)"


class SequenceTask(Task[SequenceQuery]):
    """Sequences and a sequential recommender; a query is a history and its next item."""

    kind = "sequences"
    unit = "probability"
    parts = ("user, or the items of a history", "item or ?")
    has_alternatives = True
    answer_field = "target"
    config_class = SequenceConfig
    split_class = SequenceSplit
    own_split = OWN_SPLIT
    query_class = SequenceQuery
    columns = ("user", "item")
    validated = ("mrr", "recall_at_10", "cross_entropy")
    baseline_name = "the most frequent items"
    dataset: SequenceSet
    config: SequenceConfig
    model: SequenceRecommender

    @classmethod
    def read(cls, dataset: str | None, data_dir: str | pathlib.Path | None, split: SequenceSplit) -> SequenceSet:
        """See Task."""
        return load_sequences(dataset, data_dir, split)

    @classmethod
    def of_frames(cls, given: FrameData, name: str | None, split: SequenceSplit) -> SequenceSet:
        """See Task."""
        return sequences_of_frames(given, name, split)

    @classmethod
    def own_settings(cls, dataset: SequenceSet, asked: Mapping[str, Any]) -> dict[str, Any]:
        """See Task; the proper protocol, and of one's own data by size."""
        settings = dict(PROTOCOLS["proper"])
        if dataset.name not in RATING_DATASETS:
            settings |= _size_settings(dataset)
        if not len(dataset.valid):
            settings["patience"] = None
        epochs = asked.get("epochs", settings.get("epochs", SequenceConfig.epochs))
        return settings | {"kept_epochs": tuple(range(2, epochs + 1, 2))}

    def _make_steps(self) -> SequenceSteps:
        if self.config.patience is not None and not len(self.dataset.valid):
            raise InputError(
                f"{argument('patience')} needs validation sequences: hold some out ({argument('valid_share')})."
            )
        return SequenceSteps(self.dataset, self.model, self.config)

    @property
    def selection(self) -> Selection:
        """The best validation MRR, if the configuration has a patience."""
        return Selection(metric=None if self.config.patience is None else "mrr", patience=self.config.patience)

    @property
    def kept_epochs(self) -> Collection[int]:
        """See Trainable; the configuration says which."""
        return self.config.kept_epochs

    def accuracy(self, parameters: Parameters, examples: Sequences) -> dict[str, float]:
        """MRR, Recall@10 and cross-entropy."""
        return next_item_metrics(*ranks_and_losses(self.model, parameters, examples))

    def baseline(self, examples: Sequences) -> dict[str, float]:
        """See Task; each item as probable as it was frequent, and one more choice of every item."""
        counts = np.bincount(self.dataset.train.targets, minlength=len(self.dataset.items) + 1)[1:] + 1.0
        own = counts[examples.targets - 1][:, None]
        ranks = 1 + (counts > own).sum(axis=1) + ((counts == own).sum(axis=1) - 1) / 2
        return next_item_metrics(ranks, -np.log(own[:, 0] / counts.sum()))

    def value(self, parameters: Parameters, queries: Sequence[SequenceQuery]) -> np.ndarray:
        """p(target | history): the softmax of the logits over all items, without the padding.

        Raises:
            InputError: if a history is longer than the model's.
        """
        probabilities = self._probabilities(parameters, queries)
        return probabilities[np.arange(len(queries)), [query.target - 1 for query in queries]]

    def value_gradients(self, parameters: Parameters, queries: Sequence[SequenceQuery]) -> list[Tensor]:
        """See Task, and `value`."""
        arrays = [tf.constant(array.astype(self.model.dtype)) for array in parameters.arrays]
        found = []
        for query in queries:
            with tf.GradientTape() as tape:
                tape.watch(arrays)
                logits = self.model.logits(tf.gather(arrays[0], history_of(self.model, query)[None]), arrays[1:])
                value = tf.nn.softmax(logits[:, 1:])[0, query.target - 1]
            found.append(map(tf.convert_to_tensor, tape.gradient(value, arrays)))
        return [tf.stack(parts) for parts in zip(*found, strict=True)]

    def _probabilities(self, parameters: Parameters, queries: Sequence[SequenceQuery]) -> np.ndarray:
        """The probabilities [n, num_items] of all items."""
        histories = np.stack([history_of(self.model, query) for query in queries])
        arrays = [tf.constant(array.astype(self.model.dtype)) for array in parameters.arrays]
        logits = self.model.logits(tf.gather(arrays[0], histories), arrays[1:])
        return tf.nn.softmax(logits[:, 1:]).numpy().astype(np.float64)

    def best(self, parameters: Parameters, query: SequenceQuery, count: int) -> list[tuple[int, float]]:
        """See Task; an item of the history is no answer."""
        return self._first(self._probabilities(parameters, [query])[0], query, count)

    @staticmethod
    def _first(probabilities: np.ndarray, query: SequenceQuery, count: int) -> list[tuple[int, float]]:
        order = np.argsort(-probabilities, kind="stable") + 1
        new = order[~np.isin(order, query.history)][:count]
        return [(int(target), float(probabilities[target - 1])) for target in new]

    def test_predictions(self, parameters: Parameters) -> list[ExplainedPrediction]:
        """The best next item of each test history that is not in it, in their order."""
        test, found = self.dataset.test, []
        for line, (history, target) in enumerate(zip(test.histories.tolist(), test.targets.tolist(), strict=True)):
            query = SequenceQuery(tuple(item for item in history if item), target)
            for best, probability in self.best(parameters, query, 1):
                asked = self.with_answer(query, best)
                found.append(ExplainedPrediction(asked, probability, (line,), (best == target,)))
        return found

    def consensus(self, parameters: Sequence[Parameters]) -> list[SequenceQuery]:
        """See Task: the next item of the highest mean probability."""
        found: dict[SequenceQuery, None] = {}
        for history in self.dataset.test.histories.tolist():
            query = SequenceQuery(tuple(item for item in history if item), 1)
            mean = np.mean([self._probabilities(one, [query])[0] for one in parameters], axis=0)
            found |= {self.with_answer(query, target): None for target, _ in self._first(mean, query, 1)}
        return list(found)

    def answer_name(self, query: SequenceQuery, answer: int) -> str:
        """The item's title."""
        return self.dataset.title(answer)

    def answer_key(self, query: SequenceQuery, answer: int) -> str:
        """The item's name."""
        return self.dataset.items.names[answer - 1]

    def all_known(self, query: SequenceQuery) -> str:
        """See Task."""
        return "every item is in the history"

    @classmethod
    def check_parts(cls, parts: Sequence[str]) -> None:
        """See Task; a history may have any number of items."""
        if len(parts) < len(cls.parts) or not all(parts):
            super().check_parts(parts if len(parts) < len(cls.parts) else ())

    def read_question(self, parts: Sequence[str]) -> tuple[SequenceQuery, bool]:
        """See Task: a user, whose latest choices are the history, or the items of a history; then an item or OPEN."""
        self.check_parts(parts)
        data = self.dataset
        if OPEN in parts[:-1]:
            raise InputError(f"only the last part can be asked for, the next item; got {short(','.join(parts))}.")
        is_open, names = parts[-1] == OPEN, list(map(name_in, parts))
        target = 1 if is_open else data.target_of(names[-1])
        if len(parts) > len(self.parts):
            query = SequenceQuery(tuple(map(data.target_of, names[:-1])), target)
            check_history(query, self.history_length)  # before any training
            return query, is_open
        if names[0] in data.users.ids:
            return data.query_of_user(names[0], target), is_open
        try:
            item = data.target_of(names[0])
        except InputError:
            # One name is a user, most often.
            data.user_of(names[0])
            raise
        return SequenceQuery((item,), target), is_open

    def asked_by(self, split: str) -> Iterator[tuple[SequenceQuery, tuple[Collection[str], ...]]]:
        """See Task; the user's name, and the name and title of the item."""
        data, part = self.dataset, getattr(self.dataset, split)
        for history, target, user in zip(part.histories.tolist(), part.targets.tolist(), part.users, strict=True):
            query = SequenceQuery(tuple(item for item in history if item), target)
            yield query, ((data.users.names[user],), (data.items.names[target - 1], data.title(target)))

    @property
    def history_length(self) -> int:
        """How many items a history may have."""
        return int(self.dataset.train.histories.shape[1])

    def notes_on(self, parts: Sequence[str]) -> list[str]:
        """See Task: a name that is a user's and an item's."""
        data, name = self.dataset, name_in(parts[0])
        if len(parts) > len(self.parts) or name not in data.users.ids or name not in data.items.ids:
            return []
        title = data.titles.get(name, name)
        how = f"; the item is asked about as {short(title)}" if title not in data.users.ids else ""
        return [f"{short(name)} is a user and an item: the user's history was taken{how}"]

    def answer_may_be_open(self, query: SequenceQuery) -> bool:
        """See Task."""
        return OPEN in self.dataset.items.ids

    def losses(self, dtype: str | None = None) -> "SequenceLosses":
        """See Task."""
        return SequenceLosses(self.model_in(dtype), self.dataset, self.config.train_embeddings)

    def names_of(self, query: SequenceQuery) -> tuple[str, ...]:
        """Titles of the history, then of the target."""
        return tuple(map(self.dataset.title, (*query.history, query.target)))

    def row_of(self, query: SequenceQuery) -> dict[str, str]:
        """The names by the columns history (the latest item last) and item."""
        history, item = ([self.answer_key(query, one) for one in some] for some in (query.history, [query.target]))
        return {"history": " ".join(history), "item": item[0]}

    def examples(self, example_ids: Ids, query: SequenceQuery) -> pd.DataFrame:
        """user, item (the choice), after (the item before it), before (how many there are), connection."""
        chosen = self.dataset.train.only(example_ids)
        frame = self.dataset.train_frame.iloc[example_ids].reset_index(drop=True)
        common = np.isin(chosen.histories, query.history).sum(axis=1)
        shared = [
            {
                "same item": target == query.target,
                "its item is in the history": target in query.history,
                f"{count} item{'s' if count > 1 else ''} of the history before it": count,
            }
            for target, count in zip(chosen.targets.tolist(), common.tolist(), strict=True)
        ]
        return pd.DataFrame(
            {
                "user": frame["user"],
                "item": frame["title"],
                "after": [self._title(before) for before in chosen.histories[:, -1].tolist()],
                "before": frame["before"],
                "connection": ["; ".join(text for text, holds in one.items() if holds) or "none" for one in shared],
            }
        )

    def _title(self, target: int) -> str:
        return self.dataset.title(target) if target else _NOTHING_BEFORE

    def timeline(self, query: SequenceQuery, example_ids: Ids) -> Sequence[tuple[str, int]]:
        """See Task; the items of the history, and how many examples have them in theirs."""
        histories = self.dataset.train.only(example_ids).histories
        return [(self._title(item), int((histories == item).any(axis=1).sum())) for item in query.history]

    def drawing(self, query: SequenceQuery, value: float, example_ids: Ids, influences: np.ndarray) -> Drawing:
        """See Task; nodes are items, an edge goes from the item before to the choice."""
        chosen = self.dataset.train.only(example_ids)
        befores = [query.history[-1] if query.history else 0, *chosen.histories[:, -1].tolist()]
        ends = list(zip(befores, [query.target, *chosen.targets.tolist()], strict=True))
        labels = [f"{value:.2g}", *(f"user {self.dataset.users.names[user]}" for user in chosen.users)]
        asked, *edges = [(f"item {start}", f"item {end}", by) for (start, end), by in zip(ends, labels, strict=True)]
        nodes = {f"item {target}": self._title(target) for target in itertools.chain(*ends)}
        return Drawing.of(asked, edges, example_ids, influences, nodes)

    def embeddings(self, parameters: Parameters) -> Mapping[str, tuple[np.ndarray, Sequence[str], Sequence[str]]]:
        """See Task; the items, without the padding's row."""
        items = self.dataset.items.names
        return {"items": (parameters.table[1:], items, [self.dataset.title(i + 1) for i in range(len(items))])}


def _size_settings(dataset: SequenceSet) -> dict[str, Any]:
    """Sizes and epochs for one's own data: a training takes a minute or two."""
    num_examples = dataset.num_examples
    return {
        "dim": 32 if num_examples < 50_000 else 128,
        "hidden": 32 if num_examples < 50_000 else 64,
        "batch_size": max(16, min(1024, num_examples // 50)),
        "epochs": 100 if num_examples < 50_000 else 50,
    }


class SequenceLosses(ExampleLosses):
    """Cross-entropies of next items; an example is (history, target)."""

    def __init__(self, model: SequenceRecommender, sequences: SequenceSet, train_embeddings: bool) -> None:
        super().__init__(sequences)
        self._model, self._train_embeddings = model, train_embeddings
        self.layers = NAMES
        self.lookups = model.length
        self.dtype = model.dtype

    @property
    def trained_layers(self) -> tuple[str, ...]:
        """Without the embeddings where they stay as they were drawn."""
        return NAMES if self._train_embeddings else NAMES[1:]

    @staticmethod
    def batch(examples: Sequences) -> tuple[np.ndarray, ...]:
        """See ExampleLosses."""
        return examples.histories, examples.targets

    def query(self, query: SequenceQuery) -> tuple[np.ndarray, ...]:
        """See ExampleLosses.

        Raises:
            InputError: if the history is longer than the model's.
        """
        return history_of(self._model, query)[None], np.array([query.target], np.int32)

    def rows(self, batch: Batch) -> Tensor:
        """See ExampleLosses."""
        return batch[0]

    def losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """See ExampleLosses."""
        return self._model.losses(rows, shared, batch[1])


def history_of(model: SequenceRecommender, query: SequenceQuery) -> np.ndarray:
    """The query's history as the model reads it: [length], padded in front.

    Raises:
        InputError: if it is longer than the model's.
    """
    check_history(query, model.length)
    return np.array([0] * (model.length - len(query.history)) + list(query.history), np.int32)


def check_history(query: SequenceQuery, length: int) -> None:
    """
    Raises:
        InputError: if the query's history is longer than a model's.
    """
    if len(query.history) > length:
        raise InputError(f"a history has at most {length} items; got {len(query.history)}: leave out the oldest.")
