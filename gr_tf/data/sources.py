"""Datasets by name: what ships with the package, what is downloaded, what a folder holds."""

import dataclasses
import pathlib
from collections.abc import Mapping

import pandas as pd

from gr_tf.data.download import Archive, fetch
from gr_tf.data.frames import IN_MEMORY, FrameData, Names, refuse_named_columns, refuse_without_frame
from gr_tf.data.named_tables import labels_of, notes_of, read_headless, read_named, refuse_empty
from gr_tf.data.rating_sources import COLUMNS, RATING_DATASETS, read_release_titles
from gr_tf.data.triple_split import TripleSplit, with_held_out
from gr_tf.data.triples import SPLITS, TripleSet, make_triple_set, read_folder
from gr_tf.errors import InputError, argument, listed, short
from gr_tf.runs import files

FB15K237 = Archive(
    name="fb15k-237",
    url="https://github.com/TimDettmers/ConvE/raw/master/FB15k-237.tar.gz",
    checksums={
        "train.txt": "6e4c2782169af21e9743f3b1d200886f5d595bf6bc504ec1351720949c5cdfae",
        "valid.txt": "cf6309010852f6a8d47a45df830a426415d1ee6f7a3970a8376ff1fb81db4a5c",
        "test.txt": "5711cf41623ceb4eacc50eb6108a3ca6565c7492e3caaf82a3e355cc660d1574",
    },
)
WN18RR = Archive(
    name="wn18rr",
    url="https://github.com/TimDettmers/ConvE/raw/master/WN18RR.tar.gz",
    checksums={
        "train.txt": "038612e783c215ee5f3ca9fbfca27b8d0739be1028fe4ee7c174aecf0b83d5df",
        "valid.txt": "453ce7202afa58094a04d2b1560ee2b02660f1c260b32ce6651c8ccedd1028ab",
        "test.txt": "0383bceaaa1096cf3c03ec021ed0048068e2355dbfc0239b292cefdac821cec5",
    },
)
MOVIELENS_100K = Archive(
    name="ml-100k",
    url="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
    checksums={
        "ua.base": "67b5bcdb380c29f85d56a012ecd88612ae020f30a6730d117a334ee8203b91f2",
        "ua.test": "d0497e202417720f57a184ec8c66be2d1afa4ff41bb53787c57b28d6bf79bc42",
        "u.item": "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
    },
)
DATASETS = ("nations", "fb15k237", "movielens", "wn18rr")

# SHA-256 of the training file of the datasets that the papers' figures are for.
_TRAIN_CHECKSUMS = {
    "nations": "0830fa9da8e5bba2ccdaa45b7bdc9130451ba66b09ff2708f35fccaf82473e57",
    "fb15k237": FB15K237.checksums["train.txt"],
    "movielens": MOVIELENS_100K.checksums["ua.base"],
}
# The same of the datasets that have settings of their own.
_PUBLIC_CHECKSUMS = {**_TRAIN_CHECKSUMS, "wn18rr": WN18RR.checksums["train.txt"]}
LABEL_COLUMNS = ("entity", "label")
_NATIONS = pathlib.Path(__file__).parent / "nations"
# Rows of ua.test that are the validation set (spec of Lawrence et al. 2021).
_MOVIELENS_VALID = 5_000


def published_name(checksums: Mapping[str, str]) -> str | None:
    """The name under which papers publish figures for the triples of these files, whatever they are called here.

    Args:
        checksums: see TripleSet.
    """
    return _named(_TRAIN_CHECKSUMS, checksums)


def public_name(checksums: Mapping[str, str]) -> str | None:
    """The name of the public dataset that has these files, whatever it is called here; see `published_name`."""
    return _named(_PUBLIC_CHECKSUMS, checksums)


def _named(known: Mapping[str, str], checksums: Mapping[str, str]) -> str | None:
    return next((name for name, checksum in known.items() if checksum in checksums.values()), None)


def load_triples(
    dataset: str | pd.DataFrame | None = None,
    data_dir: str | pathlib.Path | None = None,
    split: TripleSplit | None = None,
    columns: str | Mapping[str, str] | None = None,
    *,
    valid: pd.DataFrame | None = None,
    test: pd.DataFrame | None = None,
    labels: Names | None = None,
    name: str | None = None,
) -> TripleSet:
    """Loads a dataset: shipped, downloaded, from a folder, or from DataFrames.

    Args:
        dataset: one of DATASETS, or a name of your own for the folder's data; default: "nations",
            or the folder's name. Or a DataFrame of training triples; see data.frames.
        data_dir: folder with train, valid and test (see data.triples.read_folder), or one file; for
            "movielens": with ua.base, ua.test and u.item.
        split: what is held out where there is no valid or test.
        columns: what the columns of your own files are called, such as {"head": "src", "tail": "dst"}.
        valid, test: of a DataFrame: more of them.
        labels: of a DataFrame: what people call entities.
        name: of a DataFrame: what to call the dataset.

    Raises:
        InputError: if the name is unknown or the files or DataFrames cannot be used or downloaded.
    """
    if isinstance(dataset, pd.DataFrame):
        given = FrameData.of(
            "triples", dataset, valid=valid, test=test, names=labels, data_dir=data_dir, columns=columns
        )
        return triples_of_frames(given, name, split)
    refuse_without_frame(dataset, valid=valid, test=test, labels=labels, name=name)
    split = (split or TripleSplit()).with_columns(columns)
    if data_dir is None or dataset in DATASETS:
        split.refuse_columns(dataset or "nations")
    if dataset == "movielens":
        return read_movielens(pathlib.Path(data_dir) if data_dir else fetch(MOVIELENS_100K))
    if dataset == "fb15k237":
        return _with_labels(read_folder(pathlib.Path(data_dir) if data_dir else fetch(FB15K237), dataset, split))
    if dataset == "wn18rr":
        return read_folder(pathlib.Path(data_dir) if data_dir else fetch(WN18RR), dataset, split)
    if data_dir is not None:
        triples = _with_labels(read_folder(pathlib.Path(data_dir), dataset, split))
        # A folder that happens to be called as a published dataset is not read as that one.
        own = dataset is None and triples.name in DATASETS
        return dataclasses.replace(triples, name=f"own-{triples.name}") if own else triples
    if dataset in (None, "nations"):
        return dataclasses.replace(read_folder(_NATIONS, "nations"), source=None)
    raise InputError(
        f"unknown dataset {short(dataset)}: want one of {', '.join(DATASETS)}, or {argument('data_dir')} with your own "
        "files."
    )


def triples_of_frames(given: FrameData, name: str | None = None, split: TripleSplit | None = None) -> TripleSet:
    """The triples of DataFrames; see load_triples."""
    refuse_named_columns(split.columns if split else None)
    named, notes, used = with_held_out(
        {part: given.tables[part] for part in SPLITS if part in given.tables}, IN_MEMORY, split
    )
    triples = make_triple_set(given.name(name, DATASETS), named, IN_MEMORY, {}, notes)
    triples = dataclasses.replace(triples, split=used)
    return labelled(triples, "labels", given.names) if given.names is not None else triples


def read_movielens(folder: pathlib.Path) -> TripleSet:
    """MovieLens-100k as triples: user (u:196), movie (m:242), rating (r:3).

    Pezeshkpour, Chen and Singh (2018), as in Lawrence et al. (2021). Train is ua.base, valid the
    first 5,000 rows of ua.test, test the rest. Only the five ratings may be predicted.

    Raises:
        InputError: if a file is absent or malformed.
    """
    base, test = (_read_ratings(folder / name) for name in ("ua.base", "ua.test"))
    triples = make_triple_set(
        "movielens",
        {"train": base, "valid": test[:_MOVIELENS_VALID], "test": test[_MOVIELENS_VALID:]},
        folder,
        {name: files.sha256(folder / name) for name in ("ua.base", "ua.test")},
    )
    ratings = [i for i, name in enumerate(triples.entities.names) if name.startswith("r:")]
    titles = read_release_titles(folder, RATING_DATASETS["movielens-100k"])
    labels = {f"m:{item}": title for item, title in titles.items()}
    return dataclasses.replace(triples, candidates=tuple(ratings), labels=labels)


def _read_ratings(path: pathlib.Path) -> pd.DataFrame:
    """The ratings of a file as named triples, by line."""
    read = read_headless(path, COLUMNS)
    bad = ~(read["rating"].isin(list("12345")) & read["user"].str.isdecimal() & read["item"].str.isdecimal())
    if bad.any():
        line, *got = next(read[bad].itertuples(name=None))
        raise InputError(f"{path}:{line}: want user, item and rating 1-5, got {listed(got[:3])}.")
    return pd.DataFrame({"head": "u:" + read["user"], "relation": "m:" + read["item"], "tail": "r:" + read["rating"]})


def _with_labels(triples: TripleSet) -> TripleSet:
    """The triples with the names in the folder's entity_labels.tsv, if it has one."""
    folder = pathlib.Path(triples.source or "")
    path = folder / "entity_labels.tsv"
    if path.exists():
        table = read_headless(path, LABEL_COLUMNS, blank_lines=True)
    elif (path := folder / "entity_labels.parquet").exists():
        table = read_named(path, LABEL_COLUMNS)
    else:
        return triples
    return labelled(triples, path, table)


def labelled(triples: TripleSet, path: pathlib.Path | str, table: pd.DataFrame) -> TripleSet:
    """The triples with labels.

    Args:
        triples: without labels.
        path: the file, or the name of a DataFrame; for messages.
        table: columns entity, label; by line or row.

    Raises:
        InputError: naming file, line and value, if an entity is empty, or has two labels.
    """
    refuse_empty(path, table, ("entity",))
    name = path.name if isinstance(path, pathlib.Path) else path
    notes = notes_of(table)
    empty, row = table["label"].str.strip() == "", "line" if isinstance(path, pathlib.Path) else "row"
    if empty.any():
        notes.append(f"{name}: {empty.sum()} empty labels passed over, the first in {row} {table.index[empty][0]}.")
    table = table[~empty]
    labels = labels_of(path, table["entity"], table["label"])
    if labels.keys().isdisjoint((*triples.entities.names, *triples.relations.names)):
        notes.append(f"{name}: no label in it is of a name in the training triples.")
    return dataclasses.replace(triples, labels=labels, notes=(*triples.notes, *notes))
