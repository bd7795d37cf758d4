"""What differs between kinds of data is in gr_tf/tasks and below: nothing above may know a kind."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1] / "gr_tf"
# The modules of one kind; those of several, such as gr_tf.tasks.kinds, are for all.
OF_A_KIND = re.compile(
    r"gr_tf\.data\.(triples|ratings|sequences|triple_split|rating_sources|sequence_sources|known_tails|negatives)"
    r"|gr_tf\.models\.(?!parameters\b).*"
    r"|gr_tf\.tasks\.(triples|ratings|sequences|keras|triple_losses|triple_rollback|place_rollback|place_quality)"
    r"|gr_tf\.training\.(\w+_(config|steps|kernel|adam|batches)|losses|optimizers|constraints)"
)
# Methods that serve one kind by their nature, and what is of one paper's theory, figures or data only.
EXCEPTIONS = {
    "attribution/complete_rollback.py",
    "attribution/criage.py",
    "attribution/embedding_fia.py",
    "attribution/fia.py",
    "attribution/fia_blocks.py",
    "attribution/influence_analysis.py",
    "attribution/replay.py",
    "attribution/training_loss.py",
    "attribution/trajectory.py",
    "attribution/triple_influence.py",
    "evaluation/stability.py",
}
ABOVE = sorted(
    str(path.relative_to(ROOT))
    for layer in ("attribution", "evaluation", "report", "asking")
    for path in (ROOT / layer).glob("*.py")
)


def imported(path: pathlib.Path) -> set[str]:
    """The modules that a file imports; of `from package import name`, both what it may be."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("name", [name for name in ABOVE if name not in EXCEPTIONS])
def test_no_kind_is_known(name: str) -> None:
    assert not [module for module in imported(ROOT / name) if OF_A_KIND.fullmatch(module)]


def test_exceptions_are_needed() -> None:
    for name in EXCEPTIONS:
        assert any(OF_A_KIND.fullmatch(module) for module in imported(ROOT / name)), name


def test_flags_are_in_commands_only() -> None:
    """Also by import-linter, in .ci/check."""
    for path in ROOT.rglob("*.py"):
        if "commands" not in path.parts:
            assert not {module for module in imported(path) if module.split(".")[0] == "absl"}, path
