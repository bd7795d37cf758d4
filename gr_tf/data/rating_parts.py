"""Ratings that come split: a file each for training, validation and test, as releases of experiments have them."""

import pathlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from gr_tf.data.items import name_notes
from gr_tf.data.named_tables import notes_of, table_named
from gr_tf.data.ratings import Ratings, RatingSet, RatingSplit
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError

PARTS = ("train", "valid", "test")


def parts_of(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The files of a folder's ratings by part: ratings.train.csv, .tsv or .parquet, or NAME.train.rating; or none.

    Raises:
        InputError: if a part is missing, or there are two files of it.
    """
    found = {part: _file_of(folder, part) for part in PARTS}
    there = {part: path for part, path in found.items() if path is not None}
    whole = [table_named(folder, "ratings"), *folder.glob("*.rating")]
    others = [path for path in whole if path is not None and path not in there.values()]
    if there and others:
        raise InputError(
            f"{folder}: has {others[0].name}, and {' and '.join(path.name for path in there.values())}: want all "
            "ratings in one file, or in parts."
        )
    missing = [part for part in PARTS if part not in there]
    if there and missing:
        raise InputError(
            f"{folder}: has {' and '.join(path.name for path in there.values())}, and no such file for "
            f"{' and '.join(missing)}: want all of {', '.join(PARTS)}, or one file of ratings, which is then split."
        )
    return there


def refuse_parts(folder: pathlib.Path, parts: Mapping[str, pathlib.Path]) -> None:
    """
    Raises:
        InputError: always: what comes split can be read as ratings only.
    """
    raise InputError(
        f"{folder}: has {', '.join(path.name for path in parts.values())}: ratings that come split are read as ratings "
        "only. Name one file of choices."
    )


def _file_of(folder: pathlib.Path, part: str) -> pathlib.Path | None:
    table = table_named(folder, f"ratings.{part}")
    released = sorted(folder.glob(f"*.{part}.rating"))
    if len(released) + (table is not None) > 1:
        names = [path.name for path in (*([table] if table else []), *released)]
        raise InputError(f"{folder}: has {' and '.join(names)}; want one of them.")
    return table or (released[0] if released else None)


def rating_set_of_parts(
    name: str, frames: Mapping[str, pd.DataFrame], titles: Mapping[str, str], split: RatingSplit, source: str | None
) -> RatingSet:
    """The ratings of given parts; nobody is left out for having few.

    A pair that is rated twice in a part keeps its last rating there. Held-out ratings of a user or item without
    training rating are skipped, as are those of pairs that are in training: all are counted.

    Args:
        name, titles, source: see ItemSet.
        frames: by part, columns user, item (text), rating, and time where it is known.
        split: what the columns are called.

    Raises:
        InputError: if `split` asks for more than that, or a part has no rating left.
    """
    where = source or name
    split.refuse_holding_out(where)
    notes: list[str] = []
    kept = {part: _last_of_pairs(part, frame, notes) for part, frame in frames.items()}
    kept |= {part: _held_out(part, kept[part], kept["train"], notes) for part in PARTS[1:]}
    kept["test"] = _not_in(kept["test"], kept["valid"], "test: {} ratings of a pair that is in valid skipped.", notes)
    for part, frame in kept.items():
        if frame.empty:
            raise InputError(f"{where}: {part}: no rating is left.{' '.join(['', *notes])}")
    users, items = Vocabulary.of("user", kept["train"].user), Vocabulary.of("item", kept["train"].item)
    train, valid, test = (_ratings(kept[part], users, items) for part in PARTS)
    return RatingSet(
        name=name,
        users=users,
        items=items,
        train=train,
        valid=valid,
        test=test,
        titles={item: titles[item] for item in items.names if item in titles},
        source=source,
        split=split if split.columns else None,
        notes=(*notes, *name_notes(users, items, titles)),
    )


def _ratings(frame: pd.DataFrame, users: Vocabulary, items: Vocabulary) -> Ratings:
    """In the order of user ids, then item ids."""
    pairs = np.stack([frame.user.map(users.ids), frame.item.map(items.ids)], axis=1).astype(np.int32)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return Ratings(pairs[order], frame.rating.to_numpy(np.float64)[order])


def _last_of_pairs(part: str, frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The ratings without those of a pair that is rated again later; notes how many these are."""
    notes += notes_of(frame)
    in_time = frame.sort_values("time", kind="stable") if "time" in frame else frame
    kept = in_time.drop_duplicates(["user", "item"], keep="last")
    if len(kept) < len(frame):
        notes.append(f"{part}: {len(frame) - len(kept)} ratings of a pair that is rated again later left out.")
    return kept


def _held_out(part: str, frame: pd.DataFrame, train: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The held-out ratings of which something is to be learnt, and not already known; notes how many are not."""
    unknown = ~(frame.user.isin(train.user.unique()) & frame.item.isin(train.item.unique()))
    if unknown.any():
        notes.append(f"{part}: {unknown.sum()} ratings of a user or item without training rating skipped.")
    told = f"{part}: {{}} ratings of a pair that is in training skipped."
    return _not_in(frame[~unknown], train, told, notes)


def _not_in(frame: pd.DataFrame, other: pd.DataFrame, told: str, notes: list[str]) -> pd.DataFrame:
    """The ratings of pairs that are not in another part; notes how many are."""
    pair = ["user", "item"]
    joined = frame[pair].merge(other[pair].drop_duplicates(), on=pair, how="left", indicator=True)
    again = (joined["_merge"] == "both").to_numpy()
    if again.any():
        notes.append(told.format(again.sum()))
    return frame[~again]
