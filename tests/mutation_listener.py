"""What a run of tests tells of each test, for tests/mutations.py."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any


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
