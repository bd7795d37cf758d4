"""Triples (head, relation, tail) and the files they come from."""

import collections
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from gr_tf.data.dataset import Dataset, grouped, names_frame
from gr_tf.data.graph_likeness import GraphLikeness
from gr_tf.data.named_tables import SUFFIXES, notes_of, table_named
from gr_tf.data.text_files import packed_note
from gr_tf.data.triple_files import read_triples
from gr_tf.data.triple_split import TripleSplit, with_held_out
from gr_tf.data.vocabulary import Vocabulary, with_name
from gr_tf.errors import InputError, short
from gr_tf.runs import files
from gr_tf.types import Ids

SPLITS = ("train", "valid", "test")
COLUMNS = ("head", "relation", "tail")
# The places of a triple, by the columns' numbers.
HEAD, RELATION, TAIL = range(3)


@dataclasses.dataclass(frozen=True)
class Query:
    """A question for one part of a triple, such as (head, relation, ?), and the answer whose prediction is explained.

    Attributes:
        head, relation, tail: ids.
        place: which of them is the answer: HEAD, RELATION, or TAIL.
    """

    head: int
    relation: int
    tail: int
    place: int = TAIL

    def __post_init__(self) -> None:
        if self.place not in (HEAD, RELATION, TAIL):
            raise ValueError(f"place must be 0, 1, or 2; got {self.place}.")

    def __repr__(self) -> str:
        # The keys of retrainings are made of it: what asks for a tail looks as it did when only tails could be asked.
        place = "" if self.place == TAIL else f", place={self.place}"
        return f"Query(head={self.head}, relation={self.relation}, tail={self.tail}{place})"

    @property
    def triple(self) -> tuple[int, int, int]:
        """The ids of head, relation, and tail."""
        return self.head, self.relation, self.tail

    @property
    def answer(self) -> int:
        """The id of what is asked for."""
        return self.triple[self.place]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TripleSet(Dataset):
    """The triples of one dataset as ids; for the other attributes see Dataset.

    Attributes:
        entities: names of the heads and tails of train.
        relations: names of the relations of train.
        train, valid, test: [n, 3] int32, columns head, relation, tail.
        test_lines: [len(test)], the zero-based line in the test file of each kept row.
        checksums: SHA-256 of each file that was read, by file name.
        candidates: the entities that may be predicted; None: all.
        labels: names for people, by name, where there are any; not unique.
        split: what was held out because valid or test had no file, and what the columns are called; None: neither.
        num_unknown: how many rows of valid and test were skipped for a name that train does not have, by split.
        elsewhere: the part, valid or test, that has such a name: by "entity" and "relation", then by name.
    """

    query_class = Query
    name: str
    entities: Vocabulary
    relations: Vocabulary
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    test_lines: np.ndarray
    source: str | None
    checksums: Mapping[str, str]
    notes: tuple[str, ...] = ()
    candidates: tuple[int, ...] | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    split: TripleSplit | None = None
    num_unknown: Mapping[str, int] = dataclasses.field(default_factory=dict)
    elsewhere: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict, repr=False)

    def _contents(self) -> tuple[Vocabulary, Vocabulary, Iterable[bytes]]:
        parts = (np.ascontiguousarray(part, "<i4").tobytes() + b"|" for part in (self.train, self.valid, self.test))
        return self.entities, self.relations, parts

    @functools.cached_property
    def train_frame(self) -> pd.DataFrame:
        """The training triples by name; the index is the example_id."""
        return self.names(self.train)

    def names(self, triples: np.ndarray) -> pd.DataFrame:
        """The names of triples [n, 3], columns head, relation, tail."""
        entities = np.asarray(self.entities.names, object)
        relations = np.asarray(self.relations.names, object)
        return pd.DataFrame(
            {"head": entities[triples[:, 0]], "relation": relations[triples[:, 1]], "tail": entities[triples[:, 2]]}
        )

    def names_frame(self) -> pd.DataFrame:
        """See Dataset: entities and relations."""
        heads, relations, tails = self.train.T
        # A triple from an entity to itself is one example.
        entities = np.concatenate([heads, tails[heads != tails]])
        parts = ((self.entities, entities), (self.relations, relations))
        return pd.concat([names_frame(names, self.labels, ids) for names, ids in parts], ignore_index=True)

    def names_of(self, query: Query) -> tuple[str, str, str]:
        """The names of a query's head, relation and tail."""
        return self.entities.names[query.head], self.relations.names[query.relation], self.entities.names[query.tail]

    def id_at(self, place: int, name: str) -> int:
        """The id of a name or label in a place of a triple.

        Raises:
            InputError: if it is unknown, with close ones suggested, or a label is of several names.
        """
        names, others = (self.relations, self.entities) if place == RELATION else (self.entities, self.relations)

        def why_absent(name: str) -> str | None:
            part = self.elsewhere.get(names.kind, {}).get(name)
            if part is not None:
                return f"is in the {part} triples, but not in the training triples: nothing was learnt of it"
            return f"is the name of {others.what}" if name in others.ids else None

        return names.id_of(name, self.labels, why_absent)

    def query_of(self, example_id: int) -> Query:
        """The query that a training triple answers."""
        head, relation, tail = map(int, self.train[example_id])
        return Query(head, relation, tail)

    @functools.cached_property
    def _by_entity(self) -> list[np.ndarray]:
        """The training triples of each entity; those with it as head and tail twice."""
        return [places // 2 for places in grouped(self.train[:, [0, 2]].ravel(), len(self.entities))]

    @functools.cached_property
    def _by_relation(self) -> list[np.ndarray]:
        return grouped(self.train[:, 1], len(self.relations))

    def related(self, query: Query) -> Ids:
        """The adjacent training triples: head or tail in {query.head, query.tail}, or the query's relation."""
        of_entities = (self._by_entity[query.head], self._by_entity[query.tail])
        return np.unique(np.concatenate([*of_entities, self._by_relation[query.relation]]))

    def shared_elements(self, query: Query) -> np.ndarray:
        """How much every training triple [num_examples] has in common with a query.

        One for its relation, one for each of the query's entities that is its head or tail; 0 for triples that are
        not adjacent.
        """
        heads, relations, tails = self.train.T
        entities = [(heads == entity) | (tails == entity) for entity in {query.head, query.tail}]
        shared: np.ndarray = np.sum([relations == query.relation, *entities], axis=0)
        return shared

    @functools.cached_property
    def _likeness(self) -> GraphLikeness:
        return GraphLikeness(self.train, len(self.entities), len(self.relations))

    def likeness(self, query: Query) -> np.ndarray:
        """See Dataset; see GraphLikeness for the features."""
        return self._likeness.features(query.triple)

    def with_wrong(self, example_ids: Ids, generator: np.random.Generator) -> "TripleSet":
        """See Dataset: other tails, such that the triple is in no split."""
        known = {tuple(triple) for part in (self.train, self.valid, self.test) for triple in part.tolist()}
        possible = np.arange(len(self.entities)) if self.candidates is None else np.array(self.candidates)
        train = self.train.copy()
        for place in example_ids:
            head, relation, _ = map(int, train[place])
            drawn = generator.permutation(possible).tolist()
            other = next((tail for tail in drawn if (head, relation, tail) not in known), None)
            if other is None:
                raise InputError(f"training triple {place} has no other tail that makes it wrong: every one is known.")
            train[place, 2] = other
        return dataclasses.replace(self, train=train)

    def shuffled(self, seed: int) -> "TripleSet":
        """See Dataset: each other's tails."""
        train = self.train.copy()
        train[:, 2] = np.random.default_rng(seed).permutation(train[:, 2])
        return dataclasses.replace(self, train=train)

    def check_queries(self, queries: Iterable[Query]) -> None:
        """
        Raises:
            InputError: if the tail that a query asks for is no candidate.
        """
        self.check_predictable(query.tail for query in queries if query.place == TAIL)

    def check_predictable(self, tails: Iterable[int]) -> None:
        """
        Raises:
            InputError: if one of the tails is no candidate.
        """
        if self.candidates is None:
            return
        for tail in tails:
            if tail not in self.candidates:
                name = self.entities.names[tail]
                raise InputError(
                    f"{short(name)} cannot be predicted: it is none of the candidate tails of {self.name}."
                )

    def label(self, name: str) -> str:
        """What people call it, with its name where others are called so too; its name where there is no label."""
        label = self.labels.get(name, name)
        return with_name(label, name) if label != name and label in self._shared_labels else label

    @functools.cached_property
    def _shared_labels(self) -> frozenset[str]:
        """The labels that several have, or that are the name of another."""
        names = (*self.entities.names, *self.relations.names)
        counts = collections.Counter(self.labels.get(name, name) for name in names)
        return frozenset(label for label, count in counts.items() if count > 1)


def read_folder(folder: pathlib.Path, name: str | None = None, split: TripleSplit | None = None) -> TripleSet:
    """Reads train, valid and test of a folder: .txt, .tsv, .csv or .parquet each; see triple_files.read_triples.

    The vocabulary is that of train. Rows of valid and test with another name cannot be
    scored: they are skipped, counted and told in `notes`. Training rows that repeat stay
    separate examples.

    Args:
        folder: the folder, or the file of all triples.
        name: of the dataset; default: the folder's or file's.
        split: what is held out of train where valid or test has no file, and what the columns are called.

    Raises:
        InputError: if train or a file is absent, empty, malformed, or has no usable row, or a split has two files.
    """
    if not folder.exists():
        raise InputError(f"{folder}: no such file or folder.")
    split = split or TripleSplit()
    found = {"train": folder} if folder.is_file() else {part: table_named(folder, part) for part in SPLITS}
    paths = {part: path for part, path in found.items() if path is not None}
    if "train" not in paths:
        wanted = ", ".join(f"train{suffix}" for suffix in SUFFIXES)
        raise InputError(f"{folder}: has none of {wanted}.{packed_note(folder)}")
    named, notes = {}, list[str]()
    for part, path in paths.items():
        named[part] = read_triples(path, split.named)
        notes += notes_of(named[part])
    checksums = {path.name: files.sha256(path) for path in paths.values()}
    name = name or (folder.stem if folder.is_file() else folder.resolve().name)
    named, held_out, used = with_held_out(named, folder, split)
    triples = make_triple_set(name, named, folder, checksums, [*notes, *held_out])
    return dataclasses.replace(triples, split=split if used or split.columns else None)


def make_triple_set(
    name: str,
    named: Mapping[str, pd.DataFrame],
    folder: pathlib.Path | str,
    checksums: Mapping[str, str],
    notes: Sequence[str] = (),
) -> TripleSet:
    """Gives ids to named triples; see `read_folder`.

    Args:
        name, checksums, notes: see TripleSet.
        named: triples by split, columns head, relation, tail.
        folder: where they come from: a folder, or a text that says what they are in.

    Raises:
        InputError: if a split of valid and test has no usable row.
    """
    train = named["train"]
    entities = Vocabulary.of("entity", pd.concat([train["head"], train["tail"]]))
    relations = Vocabulary.of("relation", train["relation"])
    notes = list(notes)
    repeated = train.duplicated().sum()
    if repeated:
        notes.append(f"train: {repeated} triples repeat an earlier one; each stays an example of its own.")

    vocabularies = {"head": entities, "relation": relations, "tail": entities}
    ids, kept, num_unknown = {}, {}, {}
    elsewhere: dict[str, dict[str, str]] = {names.kind: {} for names in (entities, relations)}
    for split in SPLITS:
        found = pd.DataFrame({column: named[split][column].map(names.ids) for column, names in vocabularies.items()})
        known = found.notna().all(axis=1)
        ids[split], kept[split] = found[known].to_numpy(np.int32), np.flatnonzero(known)
        skipped = len(known) - len(kept[split])
        if not len(kept[split]):
            raise InputError(
                f"{folder}: {split}: no usable row: all {skipped} have a name that the training triples do not have."
            )
        num_unknown[split] = skipped
        for column, names in vocabularies.items() if skipped else ():
            for unknown in named[split][column][found[column].isna()]:
                elsewhere[names.kind].setdefault(unknown, split)
        if skipped:
            notes.append(f"{split}: {skipped} triples with a name unknown in training skipped.")
    notes += [*_repeated(ids, len(entities), len(relations)), *entities.lookalikes(), *relations.lookalikes()]
    return TripleSet(
        name=name,
        entities=entities,
        relations=relations,
        train=ids["train"],
        valid=ids["valid"],
        test=ids["test"],
        test_lines=kept["test"],
        source=str(folder.resolve()) if isinstance(folder, pathlib.Path) else folder,
        checksums=checksums,
        notes=tuple(notes),
        num_unknown=num_unknown,
        elsewhere=elsewhere,
    )


def _repeated(ids: Mapping[str, np.ndarray], num_entities: int, num_relations: int) -> Iterator[str]:
    """Yields a note for every two splits that have triples in common: what was trained on is no test."""
    keys = {
        split: (triples[:, HEAD].astype(np.int64) * num_relations + triples[:, RELATION]) * num_entities
        + triples[:, TAIL]
        for split, triples in ids.items()
    }
    for earlier, later in itertools.combinations(SPLITS, 2):
        count = np.isin(keys[later], keys[earlier]).sum()
        if count:
            yield f"{later}: {count} triples are in {earlier} too."
