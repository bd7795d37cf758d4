"""Files that a user names: nothing is replaced by accident."""

import os
import pathlib
from collections.abc import Callable

import pytest

import gr_tf
from gr_tf.errors import InputError
from gr_tf.runs.outputs import check_output
from gr_tf.runs.run_dir import RunDir


@pytest.fixture
def data(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "mine"
    (folder / "more").mkdir(parents=True)
    for name in ("train.txt", "train.html", "more/labels.txt"):
        (folder / name).write_text("a\tb\tc\n")
    return folder


def test_a_new_file_in_a_new_folder(tmp_path: pathlib.Path) -> None:
    check_output(tmp_path / "a" / "b" / "why.html", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_replaced_only_if_asked(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    report = tmp_path / "why.html"
    report.touch()
    for path in (report, data / "train.html", data / "train.txt"):
        with pytest.raises(
            InputError, match=f"{path.name}: exists already. Pass overwrite=True to replace it, or name"
        ):
            check_output(path, overwrite=False, data=[data, None])
    for path in (report, data / "train.html"):
        check_output(path, overwrite=True, data=[data, None])


PLACES: dict[str, Callable[[pathlib.Path, pathlib.Path], object]] = {
    "a link to it": lambda path, data: path.symlink_to(data / "train.txt"),
    "a link to nothing": lambda path, data: path.symlink_to(data / "none"),
    "a folder": lambda path, data: path.mkdir(),
    "a pipe": lambda path, data: os.mkfifo(path),
}


@pytest.mark.parametrize("what", list(PLACES))
@pytest.mark.parametrize("overwrite", [False, True])
def test_only_regular_files_are_replaced(
    data: pathlib.Path, tmp_path: pathlib.Path, what: str, overwrite: bool
) -> None:
    path = tmp_path / "why.html"
    PLACES[what](path, data)
    with pytest.raises(InputError, match=r"why.html: is no regular file, and is not replaced"):
        check_output(path, overwrite=overwrite, data=[data])


def test_devices() -> None:
    with pytest.raises(InputError, match="/dev/full: is no regular file"):
        check_output(pathlib.Path("/dev/full"), overwrite=True)


def test_files_of_the_data_are_never_replaced(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "another name").hardlink_to(data / "train.txt")
    for path in (data / "train.txt", data / "more" / ".." / "train.txt"):
        with pytest.raises(InputError, match="is a file of the data or the model, and is not replaced"):
            check_output(path, overwrite=True, data=[data])
    with pytest.raises(InputError, match="another name: is a file of the data"):
        check_output(tmp_path / "another name", overwrite=True, data=[None, data])
    with pytest.raises(InputError, match="is a file of the data"):
        check_output(data / "train.txt", overwrite=True, data=[str(data / "train.txt")])


def test_what_is_below_a_data_folder_may_be_replaced(data: pathlib.Path) -> None:
    """Such as the results of a run that lies there."""
    check_output(data / "more" / "labels.txt", overwrite=True, data=[data])


def test_names_beside_a_keras_model(tmp_path: pathlib.Path) -> None:
    for name in ("model.keras", "users.txt"):
        (tmp_path / name).touch()
        with pytest.raises(InputError, match=f"{name}: is a file of the data or the model"):
            check_output(tmp_path / name, overwrite=True, data=[tmp_path / "model.keras"])


def test_files_of_gr_tf_are_never_replaced() -> None:
    for name in ("data/nations/train.txt", "version.py"):
        with pytest.raises(InputError, match=f"{name}: is a file of gr_tf"):
            check_output(pathlib.Path(gr_tf.__file__).parent / name, overwrite=True)


def test_another_programs_run_json(tmp_path: pathlib.Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "why.html").touch()
    check_output(tmp_path / "out" / "why.html", overwrite=True)


def test_files_of_a_run_are_never_replaced(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path / "run" / "train", {}) as stage:
        (stage.place("parameters")).mkdir()
        (stage.path / "parameters" / "a.npy").touch()
        stage.finish({})
    for name in ("result.json", "run.json", "parameters/a.npy"):
        with pytest.raises(InputError, match="is a file of a run, and is not replaced"):
            check_output(tmp_path / "run" / "train" / name, overwrite=True)


def test_a_folder_that_cannot_be_made(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"why.html: cannot be written: .*/file is no folder"):
        check_output(tmp_path / "file" / "why.html", overwrite=False)
