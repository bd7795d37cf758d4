"""Malformed files of sequences, each with the line that tells it."""

import pathlib

import pytest

from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSplit
from tests.data.malformed import CUT, LONG, Files, refused

_SPLIT = SequenceSplit(min_interactions=1, order="auto")

TABLE: list[tuple[Files, str]] = [
    ({"sequences.txt": ""}, "sequences.txt: empty."),
    ({"sequences.txt": "\n\n"}, "sequences.txt: empty."),
    ({"sequences.txt": "u\n"}, "sequences.txt:1: want user<TAB>item<TAB>item..., none of them empty; got 'u'."),
    ({"sequences.txt": "u i j\n"}, "sequences.txt:1: want user<TAB>item<TAB>item..., none of them empty; got 'u i j'."),
    (
        {"sequences.txt": "u\ti\t\tj\n"},
        "sequences.txt:1: want user<TAB>item<TAB>item..., none of them empty; got 'u\\ti\\t\\tj'.",
    ),
    ({"sequences.txt": "\ti\n"}, "sequences.txt:1: want user<TAB>item<TAB>item..., none of them empty; got '\\ti'."),
    ({"sequences.txt": "u\ti\nv\tj\nu\tk\n"}, "sequences.txt:3: user 'u' has a line already, line 1."),
    ({"sequences.txt": b"u\ti\x00\n"}, "sequences.txt:1: has a NUL character: it is no text, or not UTF-8."),
    ({"sequences.txt": b"u\t\xff\n"}, "sequences.txt:1: not UTF-8: byte 0xff (invalid start byte)."),
    (
        {"sequences.txt": LONG + "\n"},
        "sequences.txt:1: want user<TAB>item<TAB>item..., none of them empty; got " + CUT + ".",
    ),
    ({"sequences.txt": "user\titem\nu\t\n"}, "sequences.txt:2: empty item: ['u', '']."),
    (
        {"sequences.txt": "user\titem\tuser\nu\ti\tv\n"},
        "sequences.txt: several columns may be the user: 'user', 'user'; keep one of them.",
    ),
    ({"sequences.txt/": ""}, "sequences.txt: cannot be read: Is a directory."),
    ({"sequences.csv": ""}, "sequences.csv: has no column user, item; its columns are none."),
    ({"sequences.csv": "user,item\n"}, "sequences.csv: empty: no row in it."),
    ({"sequences.csv": "user,time\nu,1\n"}, "sequences.csv: has no column item; its columns are 'user', 'time'."),
    ({"sequences.csv": "user,item\nu,\n"}, "sequences.csv:2: empty item: ['u', '']."),
    ({"sequences.csv": "user,item\nu\n"}, "sequences.csv:2: want 2 fields (user, item), got 1: ['u']."),
    ({"sequences.csv": "user,item,time\nu,i,1.5\n"}, "sequences.csv:2: the time is not a whole number: '1.5'."),
    ({"sequences.csv": "user,item,time\nu,i,\n"}, "sequences.csv:2: empty time: ['u', 'i', '']."),
    (
        {"sequences.csv": "user,item,time\nu,i,9223372036854775808\n"},
        "sequences.csv:2: the time is not a whole number of 64 bits: '9223372036854775808'.",
    ),
    (
        {"sequences.csv": "user,item,time\nu,i,2020-01-01T25:00:00Z\n"},
        "sequences.csv:2: the time is no date between 1678 and 2261: '2020-01-01T25:00:00Z'.",
    ),
    (
        {"sequences.csv": "user,item,item_id,movieId,ITEM\nu,i,i,i,i\n"},
        "sequences.csv: several columns may be the item: 'item', 'ITEM'; keep one of them.",
    ),
    ({}, ": has no file named *.rating; want one."),
    ({"sequences.csv": "", "sequences.txt": ""}, ": has sequences.csv and sequences.txt; want one of them."),
    (
        {"sequences.csv": "user,item\nu,i\nu,j\n", "items.tsv": "item\ttitle\ni\t\n"},
        "items.tsv:2: empty title: ['i', ''].",
    ),
]


@pytest.mark.parametrize(("contents", "message"), TABLE)
def test_sequences(tmp_path: pathlib.Path, contents: Files, message: str) -> None:
    refused(tmp_path, contents, lambda folder: load_sequences(None, folder, _SPLIT), message)
