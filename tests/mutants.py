"""Mutants: copies of a file with one small mistake each, made by cosmic-ray's operators and four of our own.

Mistakes that no test should notice are left out: those in annotations, and of arguments such as `strict=True`.
"""

import dataclasses
import pathlib
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import parso
from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from parso.python.tree import Name

# Others of cosmic-ray's replace an operator by one that no number has, or leave out what is only for speed.
_OF_COSMIC_RAY = (
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Mul_Add", "Pow_Mul")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("FloorDiv_Mul", "Mod_Mul", "BitAnd_BitOr", "BitOr_BitAnd")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_Gt", "Gt_Lt", "Is_IsNot", "IsNot_Is")),
    *(f"ReplaceUnaryOperator_Delete_{sign}" for sign in ("USub", "Not", "Invert")),
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
    *("ExceptionReplacer", "NumberReplacer", "ZeroIterationForLoop"),
)
_SWAPPED = (
    *(("min", "max"), ("any", "all"), ("argmin", "argmax"), ("floor", "ceil")),
    *(("mean", "sum"), ("reduce_mean", "reduce_sum"), ("zeros", "ones"), ("zeros_like", "ones_like")),
    *(("reduce_min", "reduce_max"), ("reduce_any", "reduce_all"), ("minimum", "maximum")),
)
_OTHER_NAME = {**dict(_SWAPPED), **{second: first for first, second in _SWAPPED}}
_OTHER_WORD = {"valid": "test", "test": "valid", "initial": "negatives", "both": "initial", "related": "all"}
# Arguments that say what holds anyway, or are for people.
_LEFT_OUT = ("strict", "frozen", "eq", "encoding", "dtype", "desc", "name", "repr")


class _Ours(Operator):
    """An operator of at most one mistake a node."""

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if self.fits(node):
            yield node.start_pos, node.end_pos

    def fits(self, node: Any) -> bool:
        raise NotImplementedError


class SwapName(_Ours):
    """Takes the largest instead of the smallest, the sum instead of the mean, and so on."""

    def fits(self, node: Any) -> bool:
        return node.type == "name" and node.value in _OTHER_NAME and _is_called(node)

    def mutate(self, node: Any, index: int) -> Any:
        return Name(_OTHER_NAME[node.value], node.start_pos, prefix=node.prefix)


class SwapWord(_Ours):
    """Takes the test examples instead of the validation examples, and other words that choose."""

    def fits(self, node: Any) -> bool:
        return node.type == "string" and node.value.strip('"') in _OTHER_WORD

    def mutate(self, node: Any, index: int) -> Any:
        return Name(f'"{_OTHER_WORD[node.value.strip(chr(34))]}"', node.start_pos, prefix=node.prefix)


class DropKeyword(_Ours):
    """Leaves out a keyword argument of a call."""

    def fits(self, node: Any) -> bool:
        if node.type != "argument" or len(node.children) != 3 or node.children[1].get_code() != "=":
            return False
        return node.children[0].value not in _LEFT_OUT

    def mutate(self, node: Any, index: int) -> Any:
        # A call may end in a comma; `**{}` holds the argument's place.
        return Name("**{}", node.start_pos, prefix=node.children[0].prefix)


class DropStatement(_Ours):
    """Leaves out a call whose value is not used, an addition to a variable, or an attribute's or item's new value."""

    def fits(self, node: Any) -> bool:
        if node.parent is None or node.parent.type != "simple_stmt" or node.parent.children[0] is not node:
            return False
        if node.type == "atom_expr":
            return True
        return node.type == "expr_stmt" and (
            node.children[0].type == "atom_expr" or node.children[1].get_code().strip() in ("+=", "-=", "*=", "/=")
        )

    def mutate(self, node: Any, index: int) -> Any:
        return Name("pass", node.start_pos, prefix=node.get_first_leaf().prefix)


_OURS = {operator.__name__: operator for operator in (SwapName, SwapWord, DropKeyword, DropStatement)}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A mistake in a file.

    Attributes:
        path: of the file, below the project's folder.
        line: where the mistake is, from 1.
        operator: what it is.
        occurrence: which of the operator's places in the file, from 0.
        before: the line as it is.
        after: the line with the mistake; of several lines the first.
    """

    path: str
    line: int
    operator: str
    occurrence: int
    before: str = dataclasses.field(compare=False, default="")
    after: str = dataclasses.field(compare=False, default="")

    @property
    def name(self) -> str:
        """Tells it from all others."""
        return f"{self.path}:{self.line} {self.operator} {self.occurrence}"


def mutated(source: str, operator: str, occurrence: int) -> str:
    """A file's text with a mistake in it."""
    return str(mutate_code(source, _operator(operator)(), occurrence))


def mutants(path: str, source: str) -> dict[tuple[Any, Any], list[Mutant]]:
    """All mutants of a file that a test should notice, by place: where in the file something is changed.

    Args:
        path: for the mutants.
        source: the file's text.
    """
    found: dict[tuple[Any, Any], list[Mutant]] = {}
    nodes = list(ast_nodes(parso.parse(source)))
    for name in (*_OF_COSMIC_RAY, *_OURS):
        operator, count = _operator(name)(), 0
        for node in nodes:
            for place in operator.mutation_positions(node):
                if not _is_left_out(node):
                    found.setdefault(tuple(place), []).append(Mutant(path, place[0][0], name, count))
                count += 1
    return found


def sample(folder: pathlib.Path, paths: Sequence[str], number: int, seed: int) -> list[Mutant]:
    """Draws mutants at random: of each file in proportion to its lines, at different places of it.

    Args:
        folder: the project's.
        paths: of the files, below it.
        number: of mutants; fewer if a file has fewer places.
        seed: of the draw.
    """
    generator = random.Random(seed)
    sources = {path: (folder / path).read_text(encoding="utf-8") for path in paths}
    shares = spread({path: source.count("\n") for path, source in sources.items()}, number)
    chosen = []
    for path, source in sources.items():
        places = mutants(path, source)
        for place in sorted(generator.sample(sorted(places), min(shares[path], len(places)))):
            mutant = generator.choice(places[place])
            before, after = _change(source, mutated(source, mutant.operator, mutant.occurrence))
            chosen.append(dataclasses.replace(mutant, before=before, after=after))
    return chosen


def spread(lines: Mapping[str, int], number: int) -> dict[str, int]:
    """How many mutants of each file: in proportion to its lines, `number` in all.

    Args:
        lines: by path.
        number: in all.
    """
    total, shares, seen = sum(lines.values()), {}, 0
    for path, count in lines.items():
        shares[path] = (seen + count) * number // total - seen * number // total
        seen += count
    return shares


def _operator(name: str) -> Any:
    return _OURS.get(name) or plugins.get_operator(f"core/{name}")


def _change(source: str, after: str) -> tuple[str, str]:
    """The first line that differs, in both."""
    old, new = source.splitlines(), after.splitlines()
    first = next(line for line, (one, other) in enumerate(zip([*old, ""], [*new, ""], strict=False)) if one != other)
    return old[first].strip(), new[first].strip()


def _is_called(name: Any) -> bool:
    following = name.get_next_sibling()
    own = name.parent.type == "trailer"  # tf.reduce_sum(...)
    if own:
        following = name.parent.get_next_sibling()
    called = following is not None and following.type == "trailer" and following.children[0].value == "("
    # Python has no mean().
    return called and (own or name.value in ("min", "max", "any", "all"))


def _is_left_out(node: Any) -> bool:
    """Whether it is (in) an annotation, an argument that says what holds anyway, or no arithmetic: `*names`, a path."""
    if node.type == "operator" and node.value in ("*", "**", "/"):
        sides = [node.get_previous_sibling(), node.get_next_sibling()]
        if node.parent.type not in ("term", "power", "factor") or any(
            side.type in ("string", "fstring") for side in sides
        ):
            return True
    while node.parent is not None:
        parent = node.parent
        if parent.type in ("tfpdef", "annassign") and node is parent.children[-1 if parent.type == "tfpdef" else 1]:
            return True
        if parent.type == "funcdef" and node is parent.annotation:
            return True
        if parent.type == "argument" and parent.children[0].get_code().strip() in _LEFT_OUT:
            return True
        node = parent
    return False
