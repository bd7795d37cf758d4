"""Data of every kind for commands that are refused."""

import pathlib

import pytest

from tests.conftest import rating_lines, write_graph


@pytest.fixture(scope="session")
def malformed_data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with subfolders graph, ratings, sequences, and choices, all well formed."""
    folder = tmp_path_factory.mktemp("data")
    write_graph(folder / "graph")
    for name, file, text in (
        ("ratings", "toy.rating", "".join(rating_lines())),
        ("sequences", "sequences.txt", "".join(f"u{user}\t{_choices(user)}\n" for user in range(8))),
        ("choices", "choices.csv", "user,item\n" + "".join(f"u{i % 8},i{(i % 8 + i // 8) % 9}\n" for i in range(56))),
    ):
        (folder / name).mkdir()
        (folder / name / file).write_text(text)
    return folder


def _choices(user: int) -> str:
    return "\t".join(f"i{(user + place) % 7}" for place in range(12))
