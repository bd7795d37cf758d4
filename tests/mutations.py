"""Makes one small mistake at a time in attribution, evaluation, and the driver, and asks whether a test notices.

python -m tests.mutations --mutants=150 --seed=0 --folder=/tmp/mutations
python -m tests.mutations --mutants=20 --file=gr_tf/attribution/fia.py --folder=/tmp/fia

It needs cosmic-ray and coverage (`pip install cosmic-ray coverage`), which nothing else does. The mutants are a random
sample (tests/mutants.py). Their tests are those of the mirroring folder and those that import the file. A first run of
these tells which tests execute which lines; a mutant is judged by those that execute its line, and the first failure
ends it. (Imports, and what TensorFlow compiles, are not seen: tests that execute other lines of the file judge these.)
One process imports TensorFlow; each run is a fork of it, in a copy of the tree. The folder keeps what is done, and the
same command goes on.
"""

import compileall
import contextlib
import dataclasses
import importlib
import itertools
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests import mutants

ROOT = pathlib.Path(__file__).parents[1]
PLACES = ("gr_tf/attribution/*.py", "gr_tf/evaluation/*.py", "gr_tf/training/driver.py")
_LOADED = ("tensorflow", "keras", "pandas", "matplotlib.figure", "scipy.stats", "scipy.optimize", "hypothesis")
# Seconds of the processor: of the first run of a test file, and of a mutant beside five times its tests' own.
_FIRST_LIMIT, _LEAST_LIMIT = 900, 30
# Seconds of the tests that judge a line that none of them executes.
_MOST_SECONDS = 60
# A busy machine gives a process a part of its time only.
_BUSY = 20
# Folders of tests that run whole programs; asked about what no other test notices.
_OF_PROGRAMS = ("commands", "experiments")
_PYTEST = ("-q", "-p", "no:cacheprovider", "-n", "0", "--tb=line", "--no-header", "-W", "ignore")


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run of tests ended.

    Attributes:
        status: pytest's exit status; negative: the signal.
        seconds: that it took.
        told: by test, in the order of the run: its seconds, whether it failed, and the lines that it executed.
        printed: by pytest.
    """

    status: int
    seconds: float
    told: Mapping[str, Any]
    printed: str


class Listener:
    """A pytest plugin: chooses tests, and writes down the time, the failure, and the lines of each.

    Args:
        path: of the file that it writes, a JSON object a line.
        chosen: the tests that are run; None: all.
        lines_of: whose lines to record: a folder; None: none.
    """

    def __init__(self, path: pathlib.Path, chosen: Sequence[str] | None, lines_of: pathlib.Path | None) -> None:
        self._path, self._chosen, self._coverage = path, None if chosen is None else set(chosen), None
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()
        if lines_of is not None:
            import coverage

            self._coverage = coverage.Coverage(data_file=None, include=[f"{lines_of}/*"], config_file=False)
            self._coverage.start()
        self._folder = lines_of

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        if self._chosen is not None:
            config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in self._chosen])
            items[:] = [item for item in items if item.nodeid in self._chosen]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._coverage is not None:
            self._coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        test = report.nodeid
        self._seconds[test] = self._seconds.get(test, 0.0) + report.duration
        if report.failed:
            self._failed.add(test)
        if report.when == "teardown":
            record = {"test": test, "seconds": round(self._seconds[test], 2), "failed": test in self._failed}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def lines(self) -> dict[str, dict[str, list[int]]]:
        """The lines that each test executed, by test and file; those of imports by the test ""."""
        found: dict[str, dict[str, list[int]]] = {}
        if self._coverage is not None and self._folder is not None:
            self._coverage.stop()
            data = self._coverage.get_data()
            for file in data.measured_files():
                path = str(pathlib.Path(file).relative_to(self._folder.parent))
                for line, tests in data.contexts_by_lineno(file).items():
                    for test in tests:
                        found.setdefault(test, {}).setdefault(path, []).append(line)
        return found


class Bench:
    """Runs tests in a copy of the tree.

    Args:
        folder: for the copy and what is known; what an earlier call left there is used.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.tree = folder.resolve(), folder.resolve() / "tree"
        original = self.folder / "original"
        if not original.exists():
            names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
            for name in names.splitlines():
                if (ROOT / name).is_file():
                    (original / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(ROOT / name, original / name)
        # Anew: a call that was killed left a mistake in it.
        shutil.rmtree(self.tree, ignore_errors=True)
        shutil.copytree(original, self.tree)
        compileall.compile_dir(self.tree / "gr_tf", quiet=1)
        for name in _LOADED:
            importlib.import_module(name)

    def run(
        self, files: Sequence[str], chosen: Sequence[str] | None, limit: float, lines: bool = False
    ) -> tuple[Ended, dict[str, Any]]:
        """Runs test files in a fork of this process.

        Args:
            files: below the tree, in the order of the run.
            chosen: the tests of them; None: all.
            limit: the seconds of the processor after which they are killed.
            lines: whether to go on after a failure, and to record which lines each test executes, which is slower.

        Returns:
            How it ended, and the lines, see Listener.lines.
        """
        log, told, found = (self.folder / name for name in ("log", "told.jsonl", "lines.json"))
        for path in (log, told, found):
            path.unlink(missing_ok=True)
        start = time.monotonic()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                os.setpgid(0, 0)  # What the tests start ends with them.
                # Pools of processes import the main module, which the copy does not have: without end.
                sys.modules["__main__"] = types.ModuleType("__main__")
                resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
                printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(printed, 1)
                os.dup2(printed, 2)
                listener = Listener(told, chosen, self.tree / "gr_tf" if lines else None)
                status = self._pytest(files, listener, found, stops=not lines)
            finally:
                os._exit(status)
        status = _wait(pid, start + _BUSY * limit)
        seconds = time.monotonic() - start
        records = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        by_test = {record["test"]: record for record in records}
        ended = Ended(status, seconds, by_test, log.read_text(encoding="utf-8", errors="replace"))
        return ended, json.loads(found.read_text()) if found.exists() else {}

    def _pytest(self, files: Sequence[str], listener: Listener, found: pathlib.Path, stops: bool) -> int:
        import pytest

        os.chdir(self.tree)
        os.environ["PYTHONPATH"], os.environ["PYTHONDONTWRITEBYTECODE"] = str(self.tree), "1"
        sys.dont_write_bytecode = True
        sys.path[:] = [str(self.tree), *(path for path in sys.path if path and pathlib.Path(path) != ROOT)]
        for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "gr_tf", "experiments")]:
            del sys.modules[name]
        temporary, options = self.folder / "pytest", ["-x"] if stops else []
        status = pytest.main([*_PYTEST, *options, f"--basetemp={temporary}", *files], plugins=[listener])
        found.write_text(json.dumps(listener.lines()))
        return int(status)


def _wait(pid: int, until: float) -> int:
    """The exit status of a process that leads its group; it is killed when its time is over, the others at its end."""
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > until:
            os.killpg(pid, signal.SIGKILL)
            ended = os.waitpid(pid, 0)
            break
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(ended[1])


def tests_of(path: str, tree: pathlib.Path) -> tuple[list[str], list[str]]:
    """The test files that may execute a source file: those of the mirroring folder, and those that import it by name.

    Args:
        path: below the tree.
        tree: the project's folder.

    Returns:
        The quick ones, and those that run whole programs.
    """
    *folders, name = pathlib.PurePath(path).with_suffix("").parts
    package = re.escape(".".join(folders))
    imports = re.compile(rf"{package}\.{name}\b|from {package} import [^\n]*\b{name}\b")
    mirroring = tree.joinpath("tests", *folders[1:])
    quick: list[str] = []
    whole: list[str] = []
    for test in sorted((tree / "tests").rglob("*_test.py")):
        if test.parent == mirroring or imports.search(test.read_text(encoding="utf-8")):
            (whole if test.parent.name in _OF_PROGRAMS else quick).append(str(test.relative_to(tree)))
    return quick, whole


class Survey:
    """Which tests execute a line, and how long they take, from one run of each test file. The folder keeps it.

    Args:
        bench: where the tests are run.
        tell: called with a line for each test file that is run.
    """

    def __init__(self, bench: Bench, tell: Callable[[str], object]) -> None:
        self._bench, self._tell, self._path = bench, tell, bench.folder / "survey.json"
        self._known: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}

    def of(self, test_file: str) -> Any:
        """A test file's tests that pass without a mistake, with their seconds and lines, and the seconds of all."""
        if test_file not in self._known:
            ended, lines = self._bench.run([test_file], None, _FIRST_LIMIT, lines=True)
            failed = [test for test, record in ended.told.items() if record["failed"]]
            self._tell(
                f"{test_file}: {len(ended.told)} tests, {ended.seconds:.0f} s{'; fails as it is: ' * bool(failed)}"
            )
            if failed or ended.status not in (0, 5):  # 5: all of them are slow
                self._tell(ended.printed[-1000:])
            tests = {
                test: {"seconds": record["seconds"], "lines": lines.get(test, {})}
                for test, record in ended.told.items()
                if not record["failed"]
            }
            self._known[test_file] = {"tests": tests, "seconds": ended.seconds}
            self._path.write_text(json.dumps(self._known))
        return self._known[test_file]

    def choose(self, path: str, line: int, files: Sequence[str]) -> tuple[dict[str, list[str]], float, bool]:
        """The tests that judge a line by file, the quickest file first, their seconds, and whether they execute it.

        If none executes the line: the quickest of those that execute any line of the file, as far as time allows.

        Args:
            path: of the file.
            line: of it.
            files: of tests, to choose from.
        """
        seconds = {(file, test): record["seconds"] for file in files for test, record in self.of(file)["tests"].items()}
        lines = {(file, test): self.of(file)["tests"][test]["lines"].get(path, ()) for file, test in seconds}
        chosen = [of for of in seconds if line in lines[of]]
        executes = bool(chosen)
        if not executes:
            quickest = sorted((of for of in seconds if lines[of]), key=lambda of: seconds[of])
            total = itertools.accumulate(seconds[of] for of in quickest)
            taken = {of for of, so_far in zip(quickest, total, strict=True) if so_far <= _MOST_SECONDS}
            chosen = [of for of in seconds if of in taken]
        by_file: dict[str, list[str]] = {}
        for file, test in chosen:
            by_file.setdefault(file, []).append(test)
        order = sorted(by_file, key=lambda file: (sum(seconds[file, test] for test in by_file[file]), file))
        return {file: by_file[file] for file in order}, sum(seconds[of] for of in chosen), executes


def judge(bench: Bench, survey: Survey, mutant: mutants.Mutant) -> dict[str, Any]:
    """Runs a mutant's tests, first the quick ones; returns what is kept: how it ended, and which test noticed it."""
    path = bench.tree / mutant.path
    source = path.read_text(encoding="utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        compiled.unlink()
    kept: dict[str, Any] = {"mutant": mutant.name, "before": mutant.before, "after": mutant.after}
    kept |= {"outcome": "no test", "by": "", "executes": False, "seconds": 0.0, "tests": 0}
    for files in tests_of(mutant.path, bench.tree):
        chosen, seconds, executes = survey.choose(mutant.path, mutant.line, files)
        if not chosen:
            continue
        try:
            path.write_text(mutants.mutated(source, mutant.operator, mutant.occurrence), encoding="utf-8")
            ended, _ = bench.run(list(chosen), list(itertools.chain(*chosen.values())), 5 * seconds + _LEAST_LIMIT)
        finally:
            path.write_text(source, encoding="utf-8")
        kept["executes"] |= executes
        kept["seconds"] = round(kept["seconds"] + ended.seconds, 1)
        kept["tests"] += len(ended.told)
        kept["outcome"] = "survived"
        if ended.status:
            failed = next((test for test, record in ended.told.items() if record["failed"]), "")
            by_time = ended.status in (-signal.SIGXCPU, -signal.SIGKILL)
            kept |= {"outcome": "killed by time" if by_time else "killed", "by": failed or "the import"}
            if not failed:
                kept["printed"] = ended.printed[-500:]
            break
    return kept


def check(bench: Bench, chosen: Sequence[mutants.Mutant], tell: Callable[[str], object]) -> list[dict[str, Any]]:
    """Judges mutants that are not judged yet, in an order that serves all files alike; returns all outcomes."""
    path = bench.folder / "outcomes.jsonl"
    done = {}
    if path.exists():
        done = {record["mutant"]: record for record in map(json.loads, path.read_text().splitlines())}
    survey, order = Survey(bench, tell), list[tuple[int, str, mutants.Mutant]]()
    for path_of, group in itertools.groupby(chosen, key=lambda mutant: mutant.path):
        order += [(place, path_of, mutant) for place, mutant in enumerate(group)]
    for _, _, mutant in sorted(order, key=lambda one: one[:2]):
        if mutant.name not in done:
            record = done[mutant.name] = judge(bench, survey, mutant)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            tell(f"{record['outcome']}, {record['seconds']} s: {mutant.name}: {mutant.before} -> {mutant.after}")
    return [done[mutant.name] for mutant in chosen]


def _main() -> None:
    import argparse

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutants", type=int, default=150, help="how many, over all files")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--file", action="append", help="below the project's folder; default: all of them")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="for a copy of the tree, and the outcomes")
    asked = parser.parse_args()
    paths = asked.file or sorted(
        str(path.relative_to(ROOT)) for place in PLACES for path in ROOT.glob(place) if path.name != "__init__.py"
    )
    bench = Bench(asked.folder)
    chosen = mutants.sample(bench.tree, paths, asked.mutants, asked.seed)
    outcomes = check(bench, chosen, lambda line: print(line, flush=True))
    survived = [record for record in outcomes if record["outcome"] in ("survived", "no test")]
    print(f"{len(outcomes)} mutants, {len(outcomes) - len(survived)} killed; these survived:")
    for record in survived:
        print(f"{record['mutant']}: {record['before']} -> {record['after']}")


if __name__ == "__main__":
    _main()
