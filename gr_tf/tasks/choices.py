"""The task of choices without order: (user, ?), and the probability of an item that the user would choose."""

import pathlib
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.data.choice_sources import choices_of_frames, load_choices
from gr_tf.data.choices import CHOSE, ChoiceSet, ChoiceSplit
from gr_tf.data.frames import FrameData
from gr_tf.data.triples import HEAD, TAIL, Query, TripleSet
from gr_tf.errors import InputError, short
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.batch_triple_losses import BatchTripleLosses
from gr_tf.tasks.drawing import Drawing
from gr_tf.tasks.subjects import ChoiceSubjects
from gr_tf.tasks.task import OPEN, name_in
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.choice_recipes import choice_recipe, choice_variants
from gr_tf.training.choice_steps import ChoiceSteps
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Ids


class ChoiceTask(TripleTask):
    """Choices as a graph of one relation whose tails are items; a query is a user and an item.

    With DistMult this is matrix factorization: the score is a product of the user's row and the item's.
    """

    kind = "choices"
    served_as = "triples"
    words = types.MappingProxyType({"triple": "choice", "triples": "choices", "tail": "item", "graphs": "data"})
    # There are no single steps.
    unmet = ("steps",)
    only_if_named = True
    parts = ("user", "item or ?")  # type: ignore[assignment]
    columns = ("user", "item")  # type: ignore[assignment]
    open_title = "the most probable items that the user is not known to have chosen, of all items, known ones included"
    split_class = ChoiceSplit  # type: ignore[assignment]
    baseline_name = "the items that most users chose"
    dataset: ChoiceSet

    def __init__(self, dataset: TripleSet, config: TripleConfig, initial: Parameters | None = None) -> None:
        """
        Raises:
            InputError: if the settings are not for batches, or users are to be predicted.
        """
        if config.reciprocal:
            raise InputError("reciprocal relations are for predicting users; of choices only items are predicted.")
        if not config.in_batches:
            raise InputError(
                "choices are trained in batches: name a batch_size above 1, or optimizer adagrad; got batch_size "
                f"{config.batch_size}, optimizer {config.optimizer!r}."
            )
        super().__init__(dataset, config, initial)

    @classmethod
    def read(  # type: ignore[override]
        cls, dataset: str | None, data_dir: str | pathlib.Path | None, split: ChoiceSplit
    ) -> ChoiceSet:
        """See Task."""
        return load_choices(dataset, data_dir, split)

    @classmethod
    def of_frames(  # type: ignore[override]
        cls, given: FrameData, name: str | None, split: ChoiceSplit
    ) -> ChoiceSet:
        """See Task."""
        return choices_of_frames(given, name, split)

    @classmethod
    def own_settings(cls, dataset: TripleSet, asked: Mapping[str, Any]) -> dict[str, Any]:
        """See Task."""
        settings = choice_recipe(dataset.num_examples, asked)
        return settings if len(dataset.valid) else settings | {"patience": None}

    def variants(self, asked: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """See Trainable."""
        return choice_variants(asked)

    @property
    def how_trained(self) -> str:
        """See Task; what people should know of the training."""
        config, count = self.config, len(self.model.columns)
        drawn = config.candidates == "drawn" and config.num_negatives < count
        items = f"{config.num_negatives:,} items drawn at random" if drawn else f"all {count:,} items"
        return (
            f"Choices have no order: each competes with {items} ({config.loss} loss). What a user did not choose "
            "counts as less wanted, not as disliked."
        )

    def _make_steps(self) -> ChoiceSteps:
        return ChoiceSteps(self.dataset, self.model, self.config)

    def losses(self, dtype: str | None = None) -> "ChoiceLosses":
        """See Task."""
        return ChoiceLosses(self.model, self.dataset, self.config, dtype or self.config.dtype)

    def own_examples(self, query: Query) -> Ids:
        """See Task."""
        return np.flatnonzero(self.dataset.train[:, HEAD] == query.head)

    def answer_place(self, query: Query) -> int:
        """See Task."""
        return 1

    def all_known(self, query: Query) -> str:
        """See Task."""
        return "the user is known to have chosen every item"

    def answer_name(self, query: Query, answer: int) -> str:
        """The item's title."""
        return self.dataset.title(answer)

    def answer_key(self, query: Query, answer: int) -> str:
        """The item's name."""
        return self.dataset.items.names[answer]

    def subjects(self, query: Query) -> ChoiceSubjects:
        """See Task."""
        return ChoiceSubjects(self.dataset, query)

    def read_question(self, parts: Sequence[str]) -> tuple[Query, bool]:
        """See Task: user, and name or title of an item, or OPEN.

        Raises:
            InputError: also if nobody chose the item in training.
        """
        self.check_parts(parts)
        user, item = parts
        if user == OPEN:
            raise InputError(f"only the item can be asked for: user,item or user,?; got {short(','.join(parts))}.")
        asked = item == OPEN
        head = self.dataset.user_of(name_in(user))
        query = Query(head, 0, int(self.model.columns[0]) if asked else self.dataset.item_of(name_in(item)))
        self.dataset.check_queries([query])
        return query, asked

    def asked_by(self, split: str) -> Iterator[tuple[Query, tuple[Collection[str], ...]]]:
        """See Task; the user's name, and the item's name and title."""
        data = self.dataset
        for triple in getattr(data, split).tolist():
            query = Query(*triple)
            names = data.items.names[query.tail], data.title(query.tail)
            yield query, ((data.user_name(query.head),), names)

    def answer_may_be_open(self, query: Query) -> bool:
        """See Task."""
        return OPEN in self.dataset.items.ids

    def names_of(self, query: Query) -> tuple[str, ...]:
        """The user's name and the item's title."""
        return self.dataset.user_name(query.head), self.dataset.title(query.tail)

    def row_of(self, query: Query) -> dict[str, str]:
        """The names by the columns user, item."""
        return {"user": self.dataset.user_name(query.head), "item": self.dataset.items.names[query.tail]}

    def examples(self, example_ids: Ids, query: Query) -> pd.DataFrame:
        """See Task; columns user, title, connection."""
        data, chosen = self.dataset, self.dataset.train[example_ids]
        users, items = chosen[:, HEAD], chosen[:, TAIL]
        own_items = data.train[data.train[:, HEAD] == query.head, TAIL]
        its_users = data.train[data.train[:, TAIL] == query.tail, HEAD]
        shared = [
            (users == query.head, "same user"),
            (items == query.tail, "same item"),
            (np.isin(users, its_users), f"by a user who chose {data.title(query.tail)}"),
            (np.isin(items, own_items), f"of an item that {data.user_name(query.head)} chose"),
        ]
        connection = np.select([holds for holds, _ in shared[:2]], [text for _, text in shared[:2]], "")
        further = [
            "; ".join(text for (holds, text) in shared[2:] if holds[place]) or "none" for place in range(len(chosen))
        ]
        frame = data.names(chosen)[["user", "title"]]
        return frame.assign(connection=np.where(connection == "", np.array(further, object), connection))

    def drawing(self, query: Query, value: float, example_ids: Ids, influences: np.ndarray) -> Drawing:
        """See Task; an edge goes from a user to an item."""
        data = self.dataset
        ends = [(query.head, query.tail), *data.train[example_ids][:, [HEAD, TAIL]].tolist()]
        nodes = {f"user {user}": data.user_name(user) for user, _ in ends}
        nodes |= {f"item {item}": data.title(item) for _, item in ends}
        labels = [f"{value:.2g}", *([CHOSE] * len(example_ids))]
        asked, *edges = [(f"user {u}", f"item {i}", label) for (u, i), label in zip(ends, labels, strict=True)]
        return Drawing.of(asked, edges, example_ids, influences, nodes)

    def vocabularies(self) -> dict[str, str]:
        """Items and users, in the order of the rows."""
        kinds = (("items", self.dataset.items), ("users", self.dataset.users))
        return {kind: "".join(f"{name}\n" for name in names.names) for kind, names in kinds}

    def embeddings(self, parameters: Parameters) -> Mapping[str, tuple[np.ndarray, Sequence[str], Sequence[str]]]:
        """The rows of items, of users, and of the one relation."""
        data = self.dataset
        items, users, relation = np.split(parameters.table, [len(data.items), len(data.entities)])
        titles = [data.title(item) for item in range(len(data.items))]
        return {
            "items": (items, data.items.names, titles),
            "users": (users, data.users.names, data.users.names),
            "relations": (relation, (CHOSE,), (CHOSE,)),
        }


class ChoiceLosses(BatchTripleLosses):
    """As of triples; a choice competes with items that somebody chose in training, never with users."""

    def _candidates(self) -> np.ndarray:
        """See BatchTripleLosses."""
        return self._model.columns.astype(np.int32)
