"""Malformed files of ratings, each with the line that tells it."""

import pathlib

import pytest

from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSplit
from tests.data.malformed import CUT, LONG, Files, refused

_SPLIT = RatingSplit(min_interactions=1)

TABLE: list[tuple[Files, str]] = [
    ({"ratings.csv": ""}, "ratings.csv: has no column user, item, rating; its columns are none."),
    ({"ratings.csv": "user,item,rating\n"}, "ratings.csv: empty: no row in it."),
    ({"ratings.csv": "user,item\nu,i\n"}, "ratings.csv: has no column rating; its columns are 'user', 'item'."),
    (
        {"ratings.csv": "user,item,rating,rating\nu,i,1,2\n"},
        "ratings.csv: several columns may be the rating: 'rating', 'rating'; keep one of them.",
    ),
    (
        {"ratings.csv": "user,userId,item,rating,stars,score\nu,u,i\n"},
        "ratings.csv:2: want 6 fields (user, userId, item, rating, stars, score), got 3: ['u', 'u', 'i'].",
    ),
    (
        {"ratings.csv": "userid,item,stars,score\nu,i,1,2\n"},
        "ratings.csv: several columns may be the rating: 'stars', 'score'; keep one of them.",
    ),
    (
        {"ratings.csv": "user,item,rating\nu,i\n"},
        "ratings.csv:2: want 3 fields (user, item, rating), got 2: ['u', 'i'].",
    ),
    (
        {"ratings.csv": "user,item,rating\nu,i,3,4\n"},
        "ratings.csv:2: want 3 fields (user, item, rating), got 4: ['u', 'i', '3', '4'].",
    ),
    ({"ratings.csv": "user,item,rating\nu,i,\n"}, "ratings.csv:2: empty rating: ['u', 'i', '']."),
    ({"ratings.csv": "user,item,rating\nu,,3\n"}, "ratings.csv:2: empty item: ['u', '', '3']."),
    ({"ratings.csv": "user,item,rating\n ,i,3\n"}, "ratings.csv:2: empty user: ['', 'i', '3']."),
    ({"ratings.csv": "user,item,rating\nu,i,good\n"}, "ratings.csv:2: the rating is not a finite number: 'good'."),
    ({"ratings.csv": "user,item,rating\nu,i,nan\n"}, "ratings.csv:2: the rating is not a finite number: 'nan'."),
    ({"ratings.csv": "user,item,rating\nu,i,-inf\n"}, "ratings.csv:2: the rating is not a finite number: '-inf'."),
    (
        {"ratings.csv": "user,item,rating\nu,i,1e38\n"},
        "ratings.csv:2: the rating is not from -1,000,000 to 1,000,000: '1e38'.",
    ),
    ({"ratings.csv": "user,item,rating\nu,i,1e400\n"}, "ratings.csv:2: the rating is not a finite number: '1e400'."),
    (
        {"ratings.csv": "user,item,rating\nu,i,-1000001\n"},
        "ratings.csv:2: the rating is not from -1,000,000 to 1,000,000: '-1000001'.",
    ),
    ({"ratings.csv": 'user,item,rating\nu,i,"1,5"\n'}, "ratings.csv:2: the rating is not a finite number: '1,5'."),
    (
        {"ratings.csv": 'user,item,rating\nu,i,"1,000.5"\n'},
        "ratings.csv:2: the rating is not a finite number: '1,000.5'.",
    ),
    ({"ratings.csv": "user,item,rating\nu,i,True\n"}, "ratings.csv:2: the rating is not a finite number: 'True'."),
    ({"ratings.csv": "user,item,rating\nu,i,0x10\n"}, "ratings.csv:2: the rating is not a finite number: '0x10'."),
    ({"ratings.csv": "user,item,rating\nu,i,1_0\n"}, "ratings.csv:2: the rating is not a finite number: '1_0'."),
    ({"ratings.csv": "user,item,rating\nu,i,4/5\n"}, "ratings.csv:2: the rating is not a finite number: '4/5'."),
    ({"ratings.csv": "user,item,rating\nu,i,٣\n"}, "ratings.csv:2: the rating is not a finite number: '٣'."),
    (
        {"ratings.csv": "user,item,rating\nu,i," + "9" * 500 + "\n"},
        "ratings.csv:2: the rating is not a finite number: '" + "9" * 59 + "... (502 characters).",
    ),
    ({"ratings.csv": "user,item,rating,time\nu,i,3,1.5\n"}, "ratings.csv:2: the time is not a whole number: '1.5'."),
    ({"ratings.csv": "user,item,rating,time\nu,i,3,\n"}, "ratings.csv:2: empty time: ['u', 'i', '3', '']."),
    ({"ratings.csv": "user,item,rating,time\nu,i,3,inf\n"}, "ratings.csv:2: the time is not a finite number: 'inf'."),
    (
        {"ratings.csv": "user,item,rating,time\nu,i,3,9223372036854775808\n"},
        "ratings.csv:2: the time is not a whole number of 64 bits: '9223372036854775808'.",
    ),
    (
        {"ratings.csv": "user,item,rating,time\nu,i,3,-9223372036854775809\n"},
        "ratings.csv:2: the time is not a whole number of 64 bits: '-9223372036854775809'.",
    ),
    (
        {"ratings.csv": "user,item,rating,time\nu,i,3,1e19\n"},
        "ratings.csv:2: the time is not a whole number of 64 bits: '1e19'.",
    ),
    (
        {"ratings.csv": "user,item,rating,time\nu,i,3,1577836800\nu,j,3,2020-01-01\n"},
        "ratings.csv:3: the time is not a finite number: '2020-01-01'.",
    ),
    (
        {"ratings.csv": "user,item,rating,time\nu,i,3,2020-01-01\nu,j,3,2020-02-30\n"},
        "ratings.csv:3: the time is no date between 1678 and 2261: '2020-02-30'.",
    ),
    (
        {"ratings.csv": "user,item,rating,time\nu,i,3,9999-12-31\n"},
        "ratings.csv:2: the time is no date between 1678 and 2261: '9999-12-31'.",
    ),
    (
        {"ratings.csv": "user,item,rating,time\nu,i,3,12:30\n"},
        "ratings.csv:2: the time is not a finite number: '12:30'.",
    ),
    (
        {"ratings.csv": "user,item,rating,timestamp\nu,i,3,today\n"},
        "ratings.csv:2: the time is not a finite number: 'today'.",
    ),
    (
        {"ratings.csv": "user,item,rating,time\nu,i,3,9007199254740993.0\n"},
        "ratings.csv:2: the time is not a whole number of 64 bits: '9007199254740993.0'.",
    ),
    (
        {"ratings.csv": "user,item,rating,time,timestamp,Time\nu,i,3,1,2,3\n"},
        "ratings.csv: several columns may be the time: 'time', 'Time'; keep one of them.",
    ),
    ({"ratings.csv": "user,item,rating\nu,i,3\n"}, ": has 1 ratings to train on; want at least 2."),
    (
        {"ratings.csv": b"user,item,rating\nu\x00,i,3\n"},
        "ratings.csv:2: has a NUL character: it is no text, or not UTF-8.",
    ),
    ({"ratings.csv": b"user,item,rating\nu\xff,i,3\n"}, "ratings.csv:2: not UTF-8: byte 0xff (invalid start byte)."),
    ({"ratings.csv/": ""}, "ratings.csv: cannot be read: Is a directory."),
    (
        {"ratings.tsv": "user\titem\trating\nu\ti\n"},
        "ratings.tsv:2: want 3 fields (user, item, rating), got 2: ['u', 'i'].",
    ),
    ({"ratings.tsv": "u\ti\t3\n"}, "ratings.tsv: has no column user, item, rating; its columns are 'u', 'i', '3'."),
    ({"ratings.txt": "user\titem\trating\nu\t\t3\n"}, "ratings.txt:2: empty item: ['u', '', '3']."),
    ({"a.rating": ""}, "a.rating: empty."),
    ({"a.rating": "\n"}, "a.rating: empty."),
    ({"a.rating": "u\ti\n"}, "a.rating:1: want user<TAB>item<TAB>rating<TAB>time, got 2 fields: 'u\\ti'."),
    (
        {"a.rating": "u\ti\t3\t4\t5\n"},
        "a.rating:1: want user<TAB>item<TAB>rating<TAB>time, got 5 fields: 'u\\ti\\t3\\t4\\t5'.",
    ),
    (
        {"a.rating": "u\ti\t3\nu\tj\t3\t4\n"},
        "a.rating:2: want user<TAB>item<TAB>rating, got 4 fields: 'u\\tj\\t3\\t4'.",
    ),
    ({"a.rating": "user\titem\trating\nu\ti\t3\n"}, "a.rating:1: the rating is not a finite number: 'rating'."),
    ({"a.rating": "u,i,3\n"}, "a.rating:1: want user<TAB>item<TAB>rating<TAB>time, got 1 fields: 'u,i,3'."),
    ({"a.rating": "\ti\t3\n"}, "a.rating:1: empty user: ['', 'i', '3']."),
    ({"a.rating": "u\t \t3\n"}, "a.rating:1: empty item: ['u', ' ', '3']."),
    ({"a.rating": "u\ti\tx\n"}, "a.rating:1: the rating is not a finite number: 'x'."),
    ({"a.rating": "u\ti\t1e38\n"}, "a.rating:1: the rating is not from -1,000,000 to 1,000,000: '1e38'."),
    ({"a.rating": "u\ti\t3\t1.5\n"}, "a.rating:1: the time is not a whole number: '1.5'."),
    (
        {"a.rating": "u\ti\t3\t99999999999999999999\n"},
        "a.rating:1: the time is not a whole number of 64 bits: '99999999999999999999'.",
    ),
    ({"a.rating": "u\ti\t3\n\nu\tj\t4\n"}, "a.rating:2: want user<TAB>item<TAB>rating, got 1 fields: ''."),
    ({"a.rating": b"u\ti\t3\x00\n"}, "a.rating:1: has a NUL character: it is no text, or not UTF-8."),
    ({"a.rating": b"\xe9\ti\t3\n"}, "a.rating:1: not UTF-8: byte 0xe9 (invalid continuation byte)."),
    ({"a.rating": "u\ti\t3\n"}, ": has 1 ratings to train on; want at least 2."),
    ({"a.rating": "u\ti\t" + LONG + "\n"}, "a.rating:1: the rating is not a finite number: " + CUT + "."),
    ({}, ": has no file named *.rating; want one."),
    ({"a.rating": "", "b.rating": ""}, ": has 2 files (a.rating, b.rating) named *.rating; want one."),
    ({"ratings.csv": "", "ratings.tsv": ""}, ": has ratings.csv and ratings.tsv; want one of them."),
    (
        {"ratings.csv": "user,item,rating\nu,i,3\nu,j,4\n", "items.csv": "item,title\ni,\n"},
        "items.csv:2: empty title: ['i', ''].",
    ),
    (
        {"ratings.csv": "user,item,rating\nu,i,3\nu,j,4\n", "items.csv": "item\ni\n"},
        "items.csv: has no column title; its columns are 'item'.",
    ),
    (
        {"ratings.csv": "user,item,rating\nu,i,3\nu,j,4\n", "items.csv": "item,title\ni,A\ni,B\n"},
        "items.csv:3: 'B' is the label of 'i', which is 'A' in a line before.",
    ),
    (
        {"ratings.csv": "user,item,rating\nu,i,3\nu,j,4\n", "items.csv": ""},
        "items.csv: has no column item, title; its columns are none.",
    ),
    (
        {"ratings.csv": "user,item,rating\nu,i,3\nu,j,4\n", "items.csv": "item,title,name,title\ni,A,B,C\n"},
        "items.csv: several columns may be the title: 'title', 'title'; keep one of them.",
    ),
    (
        {"ratings.csv": "user,item,rating\nu,i,3\nu,j,4\n", "items.csv": "", "items.tsv": ""},
        ": has items.csv and items.tsv; want one of them.",
    ),
]


@pytest.mark.parametrize(("contents", "message"), TABLE)
def test_ratings(tmp_path: pathlib.Path, contents: Files, message: str) -> None:
    refused(tmp_path, contents, lambda folder: load_ratings(None, folder, _SPLIT), message)
