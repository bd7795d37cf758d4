"""Names that are asked for and are not there: what is suggested, and why they are absent."""

import pathlib

import pandas as pd
import pytest

from gr_tf.data.found_names import COLUMNS, found_names
from gr_tf.data.ratings import RatingSet, RatingSplit, make_rating_set
from gr_tf.data.sequences import SequenceSplit, make_sequence_set
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import HEAD, RELATION, TripleSet
from gr_tf.data.vocabulary import Vocabulary, folded
from gr_tf.errors import InputError

LABELS = {"Q90": "Paris", "Q64": "Berlin", "Q100": "Paris", "Q8": "Besançon"}


def message(call: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)  # type: ignore[operator]
    return str(caught.value)


def test_suggestions_have_names_and_labels() -> None:
    names = Vocabulary.of("entity", [*LABELS, "Lyon"])
    unknown = "not in the training data. Did you mean"
    assert message(names.id_of, "berlin", LABELS) == f"unknown entity 'berlin': {unknown} 'Q64' ('Berlin')?"
    assert message(names.id_of, "BESANCON", LABELS) == f"unknown entity 'BESANCON': {unknown} 'Q8' ('Besançon')?"
    assert message(names.id_of, "Pariss", LABELS) == (
        f"unknown entity 'Pariss': {unknown} 'Q100' ('Paris') or 'Q90' ('Paris')?"
    )
    assert message(names.id_of, "lyon", LABELS) == f"unknown entity 'lyon': {unknown} 'Lyon'?"
    assert message(names.id_of, "Paris", LABELS) == (
        "'Paris' is the label of 2 names: 'Q100', 'Q90'; ask with one of these names."
    )
    # What differs by case only comes before what is similar otherwise.
    near = Vocabulary.of("user", ["annA", "anna1", "ANNA", "annab", "ann"])
    assert near.close_to("anna") == ["ANNA", "annA", "annab"] or near.close_to("anna")[:2] == ["ANNA", "annA"]
    assert near.close_to("x" * 300) == []


def test_the_same_number_is_suggested() -> None:
    """As spreadsheets and DataFrames write it."""
    written = Vocabulary.of("user", ["003", "0030", "13", "3x", "7.0", "x003"])
    assert written.close_to("3")[0] == "003"
    assert written.close_to("7") == ["7.0"]
    assert Vocabulary.of("item", ["12"]).close_to("00012.0") == ["12"]
    # What is no number in digits has none.
    assert Vocabulary.of("item", ["12"]).close_to("1e1") == Vocabulary.of("item", ["1e1"]).close_to("10") == []


def test_folded() -> None:
    assert folded(" Straße É\u200b") == "strasse e"


def ratings(least: int = 3) -> RatingSet:
    pairs = [(f"u{u}", f"i{i}") for u in range(4) for i in range(4)]
    # bob has too few; eve has enough, but not of items that stay.
    pairs += [("bob", "i0"), ("bob", "i1"), ("eve", "i0"), ("eve", "rare"), ("eve", "i9")]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).assign(rating=1.0)
    titles = {"i0": "First", "rare": "Seldom", "i9": "First"}
    return make_rating_set("own", frame, titles, RatingSplit(min_interactions=least))


def test_who_was_left_out_of_ratings_is_told() -> None:
    found = ratings()
    assert message(found.query, "bob", "i0") == "user 'bob' has 2 ratings; at least 3 are needed: min_interactions."
    told = "user 'eve' has fewer than 3 ratings with items that stay: min_interactions."
    assert message(found.query, "eve", "i0") == told
    told = "item 'rare' has 1 rating; at least 3 are needed: min_interactions."
    assert message(found.query, "u0", "rare") == told
    assert message(found.query, "u0", "Seldom") == told.replace("rare", "Seldom")
    # A title that an item has which stays is that item's.
    assert found.query("u0", "First").item == found.items.ids["i0"]
    assert message(found.query, "i1", "i0") == "user 'i1' is the name of an item."
    assert message(found.query, "u0", "u1") == "item 'u1' is the name of a user."
    assert not ratings(least=0).left_out


def test_who_was_left_out_of_sequences_is_told() -> None:
    rows = [(f"u{u}", f"i{i}", 1 + i) for u in range(3) for i in range(4)]
    rows += [("bob", "own", 1), ("tim", "i0", 0), ("tim", "i1", 2), ("tim", "i2", 3)]
    frame = pd.DataFrame(rows, columns=["user", "item", "time"])
    found = make_sequence_set("own", frame, {}, SequenceSplit(min_interactions=3, order="time", test_share=0.3))
    assert message(found.user_of, "bob") == "user 'bob' has 1 choice; at least 3 are needed: min_interactions."
    assert message(found.user_of, "tim") == "user 'tim' has a choice of unknown time, and is left out."
    assert message(found.item_of, "own").startswith("item 'own' is of users only who are left out")


@pytest.fixture
def triples(tmp_path: pathlib.Path) -> TripleSet:
    (tmp_path / "train.txt").write_text("a\tlikes\tb\nb\tlikes\ta\na\tknows\ta\nb\tknows\ta\n")
    (tmp_path / "valid.txt").write_text("a\tlikes\tb\nnew\tlikes\ta\n")
    (tmp_path / "test.txt").write_text("a\tlikes\tb\na\thates\tb\nnew\tlikes\tb\n")
    (tmp_path / "entity_labels.tsv").write_text("a\tÁnna\nlikes\tlikes a lot\n")
    return load_triples(data_dir=tmp_path)


def test_names_of_other_parts_and_places_are_told(triples: TripleSet) -> None:
    told = "triples, but not in the training triples: nothing was learnt of it."
    assert message(triples.id_at, HEAD, "new") == f"entity 'new' is in the valid {told}"
    assert message(triples.id_at, RELATION, "hates") == f"relation 'hates' is in the test {told}"
    assert message(triples.id_at, HEAD, "likes") == "entity 'likes' is the name of a relation."
    assert message(triples.id_at, RELATION, "a") == "relation 'a' is the name of an entity."
    assert triples.id_at(HEAD, "Ánna") == 0


def test_names_are_found_by_labels_whatever_their_case_and_accents(triples: TripleSet) -> None:
    found = found_names(triples, "ANNA")
    assert tuple(found.columns) == COLUMNS
    # A triple from a to itself counts once.
    assert found.values.tolist() == [["entity", "a", "Ánna", 4]]
    assert found_names(triples, "k")["name"].tolist() == ["knows", "likes"]
    assert found_names(triples, "")["training examples"].tolist() == [4, 3, 2, 2]
    assert found_names(triples, "nobody").empty
    of_ratings = found_names(ratings(), "first")
    assert of_ratings[["what", "name", "label"]].values.tolist() == [["item", "i0", "First"]]
    assert set(found_names(ratings(), "")["what"]) == {"user", "item"}


def test_names_that_are_or_begin_with_the_text_come_first() -> None:
    """Whatever their number of examples; of equals, the most frequent first."""
    counts = {"rome": 4, "romeo": 9, "romero": 4, "new rome": 15}
    rows = [(name, "r", f"t{place}") for name, count in counts.items() for place in range(count)]
    found = found_names(load_triples(pd.DataFrame(rows, columns=["head", "relation", "tail"])), "Rome")
    assert found["name"].tolist() == ["rome", "romeo", "romero", "new rome"]
    assert found["training examples"].idxmax() == 3
