"""Triples (head, relation, tail) and the files they come from."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from gr_tf import files
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError

SPLITS = ("train", "valid", "test")
NamedTriple = tuple[str, str, str]


@dataclasses.dataclass(frozen=True)
class Query:
    """The question (head, relation, ?) and the tail whose prediction is explained; all ids."""

    head: int
    relation: int
    tail: int


@dataclasses.dataclass(frozen=True, eq=False)
class TripleSet:
    """The triples of one dataset as ids; a training triple's row is its example_id.

    Attributes:
        name: what to call the dataset in tables.
        entities: names of the heads and tails of train.
        relations: names of the relations of train.
        train, valid, test: [n, 3] int32, columns head, relation, tail.
        test_lines: [len(test)], the zero-based line in the test file of each kept row.
        data_dir: the folder its files are in; None if they ship with the package.
        checksums: SHA-256 of each file that was read, by file name.
        notes: what the reader passed over or found odd, a line each.
        candidates: the entities that may be predicted; None: all.
        labels: names for people, by name, where there are any; not unique.
    """

    name: str
    entities: Vocabulary
    relations: Vocabulary
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    test_lines: np.ndarray
    data_dir: str | None
    checksums: Mapping[str, str]
    notes: tuple[str, ...] = ()
    candidates: tuple[int, ...] | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def num_examples(self) -> int:
        """Number of training triples."""
        return len(self.train)

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

    def names_of(self, query: Query) -> tuple[str, str, str]:
        """The names of a query's head, relation and tail."""
        return self.entities.names[query.head], self.relations.names[query.relation], self.entities.names[query.tail]

    def label(self, name: str) -> str:
        """What people call it; the name itself where there is no label."""
        return self.labels.get(name, name)


def read_triples(path: pathlib.Path) -> tuple[list[NamedTriple], int]:
    """Reads head<TAB>relation<TAB>tail lines: UTF-8, LF or CRLF, names as they stand.

    Not pandas.read_csv: it cannot tell a missing third column from an empty one.

    Returns:
        The triples by name, and the number of blank lines passed over.

    Raises:
        InputError: naming file, line and value, if the file is absent, is not UTF-8, or
            a line is not three names.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line_number = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line_number}: not UTF-8: byte {data[error.start]:#04x} ({error.reason}).") from None
    triples: list[NamedTriple] = []
    blank = 0
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    for line_number, line in enumerate((line.removesuffix("\r") for line in lines), start=1):
        if not line.strip():
            blank += 1
            continue
        fields = line.split("\t")
        if len(fields) != 3:
            raise InputError(
                f"{path}:{line_number}: want head<TAB>relation<TAB>tail, got {len(fields)} fields: {line!r}."
            )
        if not all(field.strip() for field in fields):
            raise InputError(f"{path}:{line_number}: empty name: {line!r}.")
        triples.append((fields[0], fields[1], fields[2]))
    return triples, blank


def read_folder(folder: pathlib.Path, name: str | None = None) -> TripleSet:
    """Reads train.txt, valid.txt and test.txt of a folder.

    The vocabulary is that of train. Rows of valid and test with another name cannot be
    scored: they are skipped, counted and told in `notes`. Training rows that repeat stay
    separate examples.

    Raises:
        InputError: if a file is absent, empty, malformed, or has no usable row.
    """
    blank, named = {}, {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        named[split], blank[split] = read_triples(path)
        if not named[split]:
            raise InputError(f"{path}: empty: no triple in it.")
    notes = [f"{split}.txt: {count} blank lines passed over." for split, count in blank.items() if count]
    checksums = {f"{split}.txt": files.sha256(folder / f"{split}.txt") for split in SPLITS}
    return make_triple_set(name or folder.resolve().name, named, folder, checksums, notes)


def make_triple_set(
    name: str,
    named: Mapping[str, Sequence[NamedTriple]],
    folder: pathlib.Path,
    checksums: Mapping[str, str],
    notes: Sequence[str],
) -> TripleSet:
    """Gives ids to named triples; see `read_folder`.

    Args:
        name: the dataset's.
        named: triples by split.
        folder: where they come from.
        checksums: of the files they come from.
        notes: what their reader noted.

    Raises:
        InputError: if a split of valid and test has no usable row.
    """
    train = named["train"]
    entities = Vocabulary.of("entity", (entity for head, _, tail in train for entity in (head, tail)))
    relations = Vocabulary.of("relation", (relation for _, relation, _ in train))
    notes = list(notes)
    repeated = len(train) - len(set(train))
    if repeated:
        notes.append(f"train: {repeated} triples repeat an earlier one; each stays an example of its own.")

    ids, kept = {}, {}
    for split in SPLITS:
        ids[split], kept[split] = _to_ids(named[split], entities, relations)
        skipped = len(named[split]) - len(kept[split])
        if not len(kept[split]):
            raise InputError(
                f"{folder}: {split}: no usable row: all {skipped} have a name that the training triples do not have."
            )
        if skipped:
            notes.append(f"{split}: {skipped} triples with a name unknown in training skipped.")
    return TripleSet(
        name=name,
        entities=entities,
        relations=relations,
        train=ids["train"],
        valid=ids["valid"],
        test=ids["test"],
        test_lines=kept["test"],
        data_dir=str(folder.resolve()),
        checksums=checksums,
        notes=tuple(notes),
    )


def _to_ids(named: Iterable[NamedTriple], entities: Vocabulary, relations: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """Ids [n, 3] of the triples whose names are all known, and their places in `named`."""
    rows, places = [], []
    for place, (head, relation, tail) in enumerate(named):
        if head in entities.ids and relation in relations.ids and tail in entities.ids:
            rows.append((entities.ids[head], relations.ids[relation], entities.ids[tail]))
            places.append(place)
    return np.array(rows, np.int32).reshape(-1, 3), np.array(places, np.int64)
