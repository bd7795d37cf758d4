"""Sequences: their windows, order and splits; what is refused."""

import os
import pathlib

import numpy as np
import pandas as pd
import pytest

from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceQuery, SequenceSplit, make_sequence_set
from gr_tf.errors import InputError

DATA = os.environ.get("GR_TF_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="GR_TF_DATA names no folder with the real datasets")


def frame_of(choices: dict[str, str], times: dict[str, list[int]] | None = None) -> pd.DataFrame:
    """Users' choices, an item a letter, dealt out in turns so that no user's rows are together."""
    rows = [(place, user, item) for user, items in choices.items() for place, item in enumerate(items)]
    frame = pd.DataFrame(sorted(rows), columns=["place", "user", "item"])
    if times is not None:
        frame["time"] = [times[user][place] for place, user in zip(frame.place, frame.user, strict=True)]
    return frame.drop(columns="place")


SPLIT = SequenceSplit(min_interactions=4, window=4, test_share=0.2, valid_share=0.2)
CHOICES = {"u": "abcdefghij", "v": "jaib", "w": "abc"}


def test_every_choice_is_predicted_from_those_before_it() -> None:
    made = make_sequence_set("toy", frame_of(CHOICES), {"a": "Alpha"}, SPLIT)
    assert made.users.names == ("u", "v")
    assert made.notes == ("1 users with fewer than 4 choices left out.",)
    of_u = made.train.only(made.train.users == 0)
    # Items a, b, c, ... are 1, 2, 3, ...
    assert of_u.targets.tolist() == [1, 2, 3, 4, 5, 6]
    assert of_u.histories.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    # Of ten choices the last two are for test, the two before for validation; of four none.
    assert made.valid.targets.tolist() == [7, 8]
    assert made.test.targets.tolist() == [9, 10]
    assert made.test.histories.tolist() == [[6, 7, 8], [7, 8, 9]]
    assert made.train.only(made.train.users == 1).targets.tolist() == [10, 1, 9, 2]
    assert made.title(1) == "Alpha"
    assert made.target_of("Alpha") == made.target_of("a") == 1
    assert made.train_frame.title.tolist()[:2] == ["Alpha", "b"]
    assert made.train_frame.before.tolist()[:5] == [0, 1, 2, 3, 3]


def test_what_sequences_share_with_a_query() -> None:
    frame = pd.DataFrame({"user": [*"aaa", *"bbbb", *"cc"], "item": ["x", "y", "z", "y", "x", "z", "w", "v", "w"]})
    split = SequenceSplit(min_interactions=1, window=4, order="file", test_share=0)
    data = make_sequence_set("toy", frame, {}, split)
    target = data.target_of
    query = SequenceQuery((target("x"), target("y")), target("z"))
    told = data.train_frame.assign(shared=data.shared_elements(query)).set_index(["user", "title"]).shared
    # Histories have at most three items, so that the query's own answer counts four more.
    assert told[("a", "x")] == 1
    assert told[("a", "y")] == 2
    assert told[("a", "z")] == told[("b", "z")] == 7
    assert told[("b", "w")] == told[("c", "v")] == told[("c", "w")] == 0
    assert set(np.flatnonzero(data.shared_elements(query))) == set(data.related(query))


def test_order_by_time() -> None:
    """Reversed by time; at one time by item; a user with an unknown time is left out."""
    times = {"u": list(range(10, 0, -1)), "v": [5, 5, 5, 5], "w": [1, 2, 0]}
    split = SequenceSplit(min_interactions=3, window=4, order="time", test_share=0.2, valid_share=0.2)
    made = make_sequence_set("toy", frame_of(CHOICES, times), {}, split)
    assert made.train.only(made.train.users == 0).targets.tolist() == [10, 9, 8, 7, 6, 5]
    assert [made.items.names[target - 1] for target in made.train.only(made.train.users == 1).targets] == list("abij")
    assert made.notes == ("1 users with a choice of unknown time left out.",)
    shuffled = frame_of(CHOICES, times).sample(frac=1, random_state=1)
    assert make_sequence_set("toy", shuffled, {}, split).checksum == made.checksum
    for frame in (frame_of(CHOICES), frame_of(CHOICES, {user: [0] * 10 for user in CHOICES})):
        with pytest.raises(InputError, match="toy: has no times to put choices in order by; order='file'"):
            make_sequence_set("toy", frame, {}, split)
    # Why nobody is left is told.
    some = frame_of(CHOICES, {user: [0, *range(1, 10)] for user in CHOICES})
    with pytest.raises(
        InputError, match=r"no user has at least 3 choices; .* 3 users with a choice of unknown time left"
    ):
        make_sequence_set("toy", some, {}, split)


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="toy: no user has at least 11 choices"):
        make_sequence_set("toy", frame_of(CHOICES), {}, SequenceSplit(min_interactions=11))
    with pytest.raises(InputError, match="order must be one of time, file, auto; got 'random'"):
        SequenceSplit(order="random")
    with pytest.raises(InputError, match="window must be a number of at least 2; got 1"):
        SequenceSplit(window=1)
    with pytest.raises(InputError, match=r"must leave something to train on; got 0.1 and 1"):
        SequenceSplit(valid_share=1)
    with pytest.raises(InputError, match=r"must leave something to train on; got 0.5 and 0.5"):
        SequenceSplit(test_share=0.5, valid_share=0.5)
    with pytest.raises(InputError, match="does not keep the file's order: name the folder"):
        load_sequences("movielens-100k")


@needs_data
def test_movielens_100k_as_published() -> None:
    made = load_sequences("movielens-100k", pathlib.Path(str(DATA)) / "ml-100k")
    assert (len(made.train), len(made.valid), len(made.test)) == (90_404, 0, 9_596)
    assert made.train.histories.shape == (90_404, 49)
    assert len(made.items) == 1682
    # User 1's first lines of u.data.
    lines = (pathlib.Path(str(DATA)) / "ml-100k" / "u.data").read_text().splitlines()
    first = [line.split("\t")[1] for line in lines if line.startswith("1\t")][:3]
    of_user = np.flatnonzero(made.train.users == made.users.ids["1"])[:3]
    assert [made.items.names[target - 1] for target in made.train.targets[of_user]] == first
    with pytest.raises(InputError, match="is the label of 2 names"):
        made.target_of("Chasing Amy (1997)")


@needs_data
@pytest.mark.slow
def test_movielens_1m_has_times_of_some_users() -> None:
    folder = pathlib.Path(str(DATA)) / "ml-1m"
    made = load_sequences("movielens-1m", folder, SequenceSplit(order="time"))
    assert len(made.users) == 2999
    assert made.notes == ("3041 users with a choice of unknown time left out.",)
