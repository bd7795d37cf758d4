"""Malformed files of triples, each with the line that tells it."""

import pathlib

import pytest

from gr_tf.data.sources import load_triples
from tests.data.malformed import CUT, LONG, Files, refused

GRAPH = "a\tr\tb\nb\tr\tc\nc\tr\ta\na\tr\tc\n"

TABLE: list[tuple[Files, str]] = [
    ({"train.txt": ""}, "train.txt: empty."),
    ({"train.txt": "\n \n"}, "train.txt: empty."),
    ({"train.txt": "\ufeff"}, "train.txt: empty."),
    ({"train.txt": "a\n"}, "train.txt:1: want head<TAB>relation<TAB>tail, got 1 fields: 'a'."),
    ({"train.txt": "a\tr\n"}, "train.txt:1: want head<TAB>relation<TAB>tail, got 2 fields: 'a\\tr'."),
    ({"train.txt": "a\tr\tb\tc\n"}, "train.txt:1: want head<TAB>relation<TAB>tail, got 4 fields: 'a\\tr\\tb\\tc'."),
    ({"train.txt": "a r b\n"}, "train.txt:1: want head<TAB>relation<TAB>tail, got 1 fields: 'a r b'."),
    ({"train.txt": "a,r,b\n"}, "train.txt:1: want head<TAB>relation<TAB>tail, got 1 fields: 'a,r,b'."),
    ({"train.txt": "a\tr\tb\n\ta\tb\n"}, "train.txt:2: empty head: ['', 'a', 'b']."),
    ({"train.txt": "a\tr\tb\na\t \tb\n"}, "train.txt:2: empty relation: ['a', ' ', 'b']."),
    ({"train.txt": "a\tr\tb\na\tr\t\n"}, "train.txt:2: empty tail: ['a', 'r', '']."),
    ({"train.txt": "a\tr\tb\r\n\r\na\tr\r\n"}, "train.txt:3: want head<TAB>relation<TAB>tail, got 2 fields: 'a\\tr'."),
    (
        {"train.txt": "a\tr\tb\ra\tr\tc\r"},
        "train.txt:1: want head<TAB>relation<TAB>tail, got 5 fields: 'a\\tr\\tb\\ra\\tr\\tc\\r'.",
    ),
    ({"train.txt": LONG + "\n"}, "train.txt:1: want head<TAB>relation<TAB>tail, got 1 fields: " + CUT + "."),
    ({"train.txt": "a\tr\tb\n" + LONG + "\t\tb\n"}, "train.txt:2: empty relation: [" + CUT + ", '', 'b']."),
    ({"train.txt": b"a\tr\tb\na\x00\tr\tb\n"}, "train.txt:2: has a NUL character: it is no text, or not UTF-8."),
    ({"train.txt": b"a\tr\tb\ncaf\xe9\tr\tb\n"}, "train.txt:2: not UTF-8: byte 0xe9 (invalid continuation byte)."),
    (
        {"train.txt": b"\xff\xfea\x00\t\x00r\x00\t\x00b\x00\n\x00"},
        "train.txt: is not UTF-8 but UTF-16: save it as UTF-8.",
    ),
    (
        {"train.txt": b"\x00a\x00\t\x00r\x00\t\x00b\x00\n"},
        "train.txt:1: has a NUL character: it is no text, or not UTF-8.",
    ),
    (
        {"train.txt": b"PK\x03\x04\x14\x00\x00\x00"},
        "train.txt: is a zip archive or a spreadsheet: unpack it, or save it as CSV.",
    ),
    ({"train.txt": b"BZh91AY&SY\x00\xff"}, "train.txt: is compressed (bzip2): unpack it first."),
    ({"train.txt": b"\xfd7zXZ\x00\x00"}, "train.txt: is compressed (xz): unpack it first."),
    ({"train.txt": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}, "train.txt: is a spreadsheet: save it as CSV."),
    ({"train.txt": b"PAR1\x15\x00\x15"}, "train.txt: is a Parquet file: its name must end in .parquet."),
    ({"train.txt": b"\xed\xa0\x80\tr\tb\n"}, "train.txt:1: not UTF-8: byte 0xed (invalid continuation byte)."),
    ({"train.txt": b"a\tr\tb\n\xff"}, "train.txt:2: not UTF-8: byte 0xff (invalid start byte)."),
    ({"train.txt/": ""}, "train.txt: cannot be read: Is a directory."),
    ({"train.xlsx": b"PK\x03\x04"}, ": has none of train.csv, train.tsv, train.txt, train.parquet."),
    ({"Train.txt": GRAPH, "train.txt": GRAPH}, ": has Train.txt and train.txt; want one of them."),
    ({"train.json": "[]"}, ": has none of train.csv, train.tsv, train.txt, train.parquet."),
    ({"train.tsv": "head\trelation\ttail\n"}, "train.tsv: empty: no row in it."),
    (
        {"train.tsv": "head\trelation\ttail\na\tr\n"},
        "train.tsv:2: want 3 fields (head, relation, tail), got 2: ['a', 'r'].",
    ),
    (
        {"train.tsv": "head\trelation\ttail\na\tr\tb\tc\n"},
        "train.tsv:2: want 3 fields (head, relation, tail), got 4: ['a', 'r', 'b', 'c'].",
    ),
    (
        {"train.tsv": "head\trelation\ttail\thead\na\tr\tb\tc\n"},
        "train.tsv: several columns may be the head: 'head', 'head'; keep one of them.",
    ),
    ({"train.tsv": "head\trelation\ttail\n\tr\tb\n"}, "train.tsv:2: empty head: ['', 'r', 'b']."),
    ({"train.tsv": "subject\tpredicate\tobject\n"}, "train.tsv: empty: no row in it."),
    ({"train.csv": ""}, "train.csv: has no column head, relation, tail; its columns are none."),
    ({"train.csv": "\n\n"}, "train.csv: has no column head, relation, tail; its columns are none."),
    ({"train.csv": "a,r,b\n"}, "train.csv: has no column head, tail; its columns are 'a', 'r', 'b'."),
    ({"train.csv": "head,relation,tail\n"}, "train.csv: empty: no row in it."),
    ({"train.csv": "head,relation\na,r\n"}, "train.csv: has no column tail; its columns are 'head', 'relation'."),
    (
        {"train.csv": "head;relation;tail\na;r;b\n"},
        "train.csv: its columns seem to be separated by ';', not by commas: 'head;relation;tail'; write it",
    ),
    (
        {"train.csv": "head,relation,tail\na,r\n"},
        "train.csv:2: want 3 fields (head, relation, tail), got 2: ['a', 'r'].",
    ),
    (
        {"train.csv": "head,relation,tail\na,r,b,c\n"},
        "train.csv:2: want 3 fields (head, relation, tail), got 4: ['a', 'r', 'b', 'c'].",
    ),
    ({"train.csv": "head,relation,tail\na,r,\n"}, "train.csv:2: empty tail: ['a', 'r', '']."),
    ({"train.csv": "head,relation,tail\n,r,b\n"}, "train.csv:2: empty head: ['', 'r', 'b']."),
    ({"train.csv": 'head,relation,tail\na,"",b\n'}, "train.csv:2: empty relation: ['a', '', 'b']."),
    ({"train.csv": 'head,relation,tail\n"a,r,b\n'}, "train.csv:2: unexpected end of data."),
    ({"train.csv": 'head,relation,tail\n"a"x,r,b\n'}, "train.csv:2: ',' expected after '\"'."),
    (
        {"train.csv": "head,relation,tail,Head\na,r,b,c\n"},
        "train.csv: several columns may be the head: 'head', 'Head'; keep one of them.",
    ),
    (
        {"train.csv": "head,relation,tail,tail\na,r,b,c\n"},
        "train.csv: several columns may be the tail: 'tail', 'tail'; keep one of them.",
    ),
    (
        {"train.csv": "subject,s,relation,tail\na,a,r,b\n"},
        "train.csv: several columns may be the head: 'subject', 's'; keep one of them.",
    ),
    (
        {"train.csv": "head,relation,tail\n" + LONG + ",r\n"},
        "train.csv:2: want 3 fields (head, relation, tail), got 2: [" + CUT + ", 'r'].",
    ),
    (
        {"train.csv": b"head,relation,tail\na,r,\x00\n"},
        "train.csv:2: has a NUL character: it is no text, or not UTF-8.",
    ),
    (
        {"train.csv": b"head,relation,tail\n\xe4,r,b\n"},
        "train.csv:2: not UTF-8: byte 0xe4 (invalid continuation byte).",
    ),
    (
        {"train.csv": "head\trelation\ttail\na\tr\tb\n"},
        "train.csv: its columns seem to be separated by '\\t', not by commas: 'head\\trelation\\ttail'; write it",
    ),
    ({"train.txt": GRAPH, "train.csv": ""}, ": has train.csv and train.txt; want one of them."),
    ({"train.txt": GRAPH, "valid.txt": ""}, "valid.txt: empty."),
    (
        {"train.txt": GRAPH, "test.txt": "x\tr\ty\n", "valid.txt": "a\tr\tb\n"},
        ": test: no usable row: all 1 have a name that the training triples do not have.",
    ),
    (
        {"train.txt": GRAPH, "valid.txt": "a\tq\tb\n"},
        ": valid: no usable row: all 1 have a name that the training triples do not have.",
    ),
    ({"valid.txt": GRAPH}, ": has none of train.csv, train.tsv, train.txt, train.parquet."),
    ({}, ": has none of train.csv, train.tsv, train.txt, train.parquet."),
    (
        {"train.tsv.gz": "a"},
        ": has none of train.csv, train.tsv, train.txt, train.parquet. 'train.tsv.gz' is compressed: unpack it first.",
    ),
    (
        {"train.txt": "a\tr\tb\nb\tr\ta\n" * 2},
        ": no triple can be held out for valid: 2 triples are there more than once. Leave out the repetitions, "
        "or give a valid file.",
    ),
    (
        {"train.txt": "a\tr\tb\na\tr\tb\nb\tr\ta\nc\tr\td\n"},
        ": no triple can be held out for test: 1 triples are there more than once, and of the 2 others each names "
        "something that no other triple names. Leave out the repetitions, or give a test file.",
    ),
    (
        {"train.txt": GRAPH, "valid.txt": "a\tr\tb\n", "test.txt": "a\tr\n"},
        "test.txt:1: want head<TAB>relation<TAB>tail, got 2 fields: 'a\\tr'.",
    ),
    (
        {"train.txt": "a\tr\tb\n"},
        ": no triple can be held out for valid: each names something that no other triple names. Give a valid file.",
    ),
    (
        {"train.txt": "a\tr\tb\nc\tq\td\n"},
        ": no triple can be held out for valid: each names something that no other triple names. Give a valid file.",
    ),
    (
        {"train.txt": GRAPH, "entity_labels.tsv": "a\n"},
        "entity_labels.tsv:1: want entity<TAB>label, got 1 fields: 'a'.",
    ),
    ({"train.txt": GRAPH, "entity_labels.tsv": ""}, "entity_labels.tsv: empty."),
    (
        {"train.txt": GRAPH, "entity_labels.tsv": "a\tx\na\ty\n"},
        "entity_labels.tsv:2: 'y' is the label of 'a', which is 'x' in a line before.",
    ),
    ({"train.txt": GRAPH, "entity_labels.tsv": "\tx\n"}, "entity_labels.tsv:1: empty entity: ['', 'x']."),
    (
        {"train.txt": GRAPH, "entity_labels.tsv": "a\tx\ty\n"},
        "entity_labels.tsv:1: want entity<TAB>label, got 3 fields: 'a\\tx\\ty'.",
    ),
    (
        {"train.txt": GRAPH, "entity_labels.tsv": b"a\t\xff\n"},
        "entity_labels.tsv:1: not UTF-8: byte 0xff (invalid start byte).",
    ),
    ({"train.txt": GRAPH, "entity_labels.tsv/": ""}, "entity_labels.tsv: cannot be read: Is a directory."),
]


@pytest.mark.parametrize(("contents", "message"), TABLE)
def test_triples(tmp_path: pathlib.Path, contents: Files, message: str) -> None:
    refused(tmp_path, contents, lambda folder: load_triples(data_dir=folder), message)
