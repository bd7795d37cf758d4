"""What is installed without a clone: the wheel has everything that the program needs."""

import pathlib
import subprocess
import sys
import zipfile

import pytest

from tests.commands.program import ROOT, own_process
from tests.conftest import rating_lines, write_graph


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder)]
    # In a copy, because setuptools leaves a folder "build" where it works.
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "gr_tf", "setup.py", "pyproject.toml", "README.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in tracked:
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as packed:
        packed.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_what_is_in_it(wheel: pathlib.Path) -> None:
    names = {str(path.relative_to(wheel)) for path in wheel.rglob("*") if path.is_file()}
    assert {"gr_tf/data/nations/train.txt", "gr_tf/py.typed", "gr_tf/__init__.pyi"} <= names
    assert {"gr_tf/asking/page.html", "gr_tf/asking/top_page.html"} <= names
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "gr_tf").rglob("*.py")}
    assert code <= names
    assert not [name for name in names if name.startswith(("experiments", "tests"))]
    (entry_points,) = wheel.glob("*.dist-info/entry_points.txt")
    assert "gr_tf = gr_tf.__main__:main" in entry_points.read_text()


def explained(wheel: pathlib.Path, folder: pathlib.Path, *flags: str) -> None:
    """A question is answered and checked from an empty folder."""
    empty = folder / "empty"
    empty.mkdir()
    arguments = (f"--data_dir={folder / 'data'}", *flags, "--k=2", "--verify", "--report=why.html")
    done = own_process("explain", *arguments, folder=empty, code=wheel)
    assert done.returncode == 0, done.stderr
    assert "Is it true? T" in done.stdout
    assert (empty / "why.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


@pytest.mark.slow
def test_a_graph(wheel: pathlib.Path, tmp_path: pathlib.Path) -> None:
    write_graph(tmp_path / "data")
    explained(wheel, tmp_path, "--epochs=2", "--query=e1,r1,?")


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("--training_steps=40", "--query=u1,i2"), ("--kind=sequences", "--epochs=2")])
def test_ratings_and_sequences(wheel: pathlib.Path, tmp_path: pathlib.Path, flags: tuple[str, ...]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "toy.rating").write_text("".join(rating_lines()))
    if "--kind=sequences" in flags:
        flags = (*flags, "--min_interactions=4", "--query=u1,?")
    else:
        flags = (*flags, "--min_interactions=4", "--retraining_steps=20")
    explained(wheel, tmp_path, *flags)
