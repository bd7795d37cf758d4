"""Embeddings of a knowledge graph that another tool trained, in this package's layout.

The scores of each tool, as its documentation and its code publish them (BUILD_NOTES, "Models from elsewhere"):

    DistMult  all three: sum h r t.
    ComplEx   all three: Re(sum h r conj(t)). LibKGE and DGL-KE keep a row as real parts, then imaginary parts; PyKEEN
              keeps complex numbers, which are real and imaginary part in turn when they are viewed as numbers.
    TransE    -||h + r - t||; DGL-KE adds gamma, which changes no rank and no softmax.
    RotatE    -|| |h r - t| ||. PyKEEN: r are complex numbers of modulus 1. LibKGE: r is e^(i angle). DGL-KE: r is
              e^(i phase) with phase = row / (emb_init / pi), emb_init = (gamma + 2) / (number of factors).
"""

import dataclasses
import math
import types

import numpy as np

from gr_tf.errors import InputError, argument
from gr_tf.settings import Range, Settings

PYKEEN, LIBKGE, DGLKE = CONVENTIONS = ("pykeen", "libkge", "dglke")
# The norm of a tool if its user says nothing, and what that is here: a key of knowledge_graph_models.MODELS.
_DEFAULT_NORMS = {
    "transe": {PYKEEN: 1, LIBKGE: 1, DGLKE: 2},
    "rotate": {PYKEEN: 2, LIBKGE: 1, DGLKE: 1},
}
_OF_NORM = {("transe", 1): "transe-l1", ("transe", 2): "transe", ("rotate", 1): "rotate", ("rotate", 2): "rotate-l2"}
_DEFAULT_GAMMA = 12.0
# DGL-KE's KEModel.eps, which its emb_init is made with.
_DGLKE_EPSILON = 2.0
# How far a modulus of PyKEEN's RotatE may be from 1.
_MODULUS_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout(Settings):
    """How another tool scores a triple, and lays out its embeddings.

    Attributes:
        model: how a triple is scored.
        convention: the tool that trained the embeddings of --model_dir.
        norm: of a given transe or rotate: 1 or 2. Default: the tool's own (transe: pykeen 1, libkge 1, dglke 2; rotate:
            pykeen 2, libkge 1, dglke 1).
        gamma: of DGL-KE's rotate, its margin, which scales the relations' phases. Default: 12, as DGL-KE's.
    """

    model: str
    convention: str
    norm: int | None = None
    gamma: float | None = None

    choices = types.MappingProxyType({"model": ("distmult", "complex", "transe", "rotate"), "convention": CONVENTIONS})
    ranges = types.MappingProxyType({"norm": Range(1, 2), "gamma": Range(0, above=True)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.norm is not None and self.model not in _DEFAULT_NORMS:
            raise InputError(f"{argument('norm')} is of transe and rotate; {self.model} has none.")
        if self.gamma is not None and (self.model, self.convention) != ("rotate", DGLKE):
            raise InputError(
                f"{argument('gamma')} scales the phases of DGL-KE's rotate only; not of {self.convention}'s "
                f"{self.model}."
            )

    @property
    def model_here(self) -> str:
        """The same model in this package: a key of knowledge_graph_models.MODELS."""
        if self.model not in _DEFAULT_NORMS:
            return self.model
        return _OF_NORM[self.model, self.norm or _DEFAULT_NORMS[self.model][self.convention]]


@dataclasses.dataclass(frozen=True, eq=False)
class Converted:
    """Embeddings in this package's layout.

    Attributes:
        model: a key of knowledge_graph_models.MODELS.
        dim: number of factors.
        entities: [num_entities, width], float64.
        relations: [num_relations, width].
        inverses: the same of the inverse relations; None: there are none.
        notes: what was assumed, a line each.
    """

    model: str
    dim: int
    entities: np.ndarray
    relations: np.ndarray
    inverses: np.ndarray | None
    notes: tuple[str, ...]


def converted(layout: Layout, entities: np.ndarray, relations: np.ndarray, num_relations: int, where: str) -> Converted:
    """Converts the arrays of another tool.

    Args:
        layout: the model, and the tool.
        entities, relations: the tool's arrays, a row an entity or a relation; numbers, or complex numbers.
        num_relations: how many relations there are: one row each, or two, of the relation and its inverse.
        where: what to call the relations' file in an error.

    Raises:
        InputError: if the shapes do not suit the model, or a modulus is not 1.
    """
    of_entities, of_relations = _rows(layout, entities, where), _rows(layout, relations, where)
    notes, model = [], layout.model_here
    if layout.model == "rotate":
        of_relations, told = _angles(layout, of_relations, where)
        notes += told
    widths = of_entities.shape[1], of_relations.shape[1]
    if widths[0] != widths[1] * (2 if layout.model == "rotate" else 1):
        twice = "twice as wide as" if layout.model == "rotate" else "as wide as"
        raise InputError(f"{where}: the entities of {layout.model} are {twice} its relations; got widths {widths}.")
    is_complex = layout.model in ("complex", "rotate")
    if is_complex and widths[0] % 2:
        raise InputError(f"{where}: a row of {layout.model} has real and imaginary parts; got {widths[0]} numbers.")
    if layout.model in _DEFAULT_NORMS:
        norm = layout.norm or _DEFAULT_NORMS[layout.model][layout.convention]
        default = "" if layout.norm else f", the default of {layout.convention}"
        notes.append(f"{layout.model} with the L{norm} norm{default}")
    if layout.model == "rotate":
        of_relations = np.pad(of_relations, ((0, 0), (0, widths[1])))
    inverses = None
    if len(of_relations) == 2 * num_relations and layout.convention != DGLKE:
        if layout.convention == PYKEEN:
            order = "in turn: row 2r of the relation, 2r + 1 of its inverse"
            of_relations, inverses = of_relations[::2], of_relations[1::2]
        else:
            order = "the relations first, then the inverses"
            of_relations, inverses = of_relations[:num_relations], of_relations[num_relations:]
        notes.append(f"twice as many rows as relations: inverse relations, {order}, as {layout.convention} has them")
    elif len(of_relations) != num_relations:
        raise InputError(f"{where}: has {len(of_relations)} rows for {num_relations} relations.")
    dim = widths[0] // 2 if is_complex else widths[0]
    return Converted(model, dim, of_entities, of_relations, inverses, tuple(notes))


def _rows(layout: Layout, array: np.ndarray, where: str) -> np.ndarray:
    """Rows of float64: of complex numbers, the real parts, then the imaginary parts."""
    in_turn = layout.convention == PYKEEN and layout.model in ("complex", "rotate")
    if np.iscomplexobj(array) and not in_turn:
        raise InputError(f"{where}: {layout.convention}'s {layout.model} has no complex numbers, such as these are.")
    if not in_turn:
        return array.astype(np.float64)
    if not np.iscomplexobj(array) and array.shape[1] % 2:
        told = f"has real and imaginary parts; got {array.shape[1]} numbers"
        raise InputError(f"{where}: a row of {layout.model} {told}.")
    if np.iscomplexobj(array):
        return np.concatenate([array.real, array.imag], axis=1).astype(np.float64)
    return np.concatenate([array[:, ::2], array[:, 1::2]], axis=1).astype(np.float64)


def _angles(layout: Layout, relations: np.ndarray, where: str) -> tuple[np.ndarray, list[str]]:
    """The angles [n, dim] of RotatE's relations, and what was assumed."""
    if layout.convention == LIBKGE:
        return relations, []
    if layout.convention == DGLKE:
        gamma = layout.gamma or _DEFAULT_GAMMA
        told = [] if layout.gamma else [f"gamma is {gamma:g}, the default of dglke: the relations' phases depend on it"]
        return relations * math.pi / ((gamma + _DGLKE_EPSILON) / relations.shape[1]), told
    real, imaginary = np.split(relations, 2, axis=1)
    off = np.abs(np.hypot(real, imaginary) - 1)
    if off.max() > _MODULUS_TOLERANCE:
        row = int(off.max(axis=1).argmax())
        raise InputError(f"{where}: row {row} is no rotation: PyKEEN's rotate has relations of modulus 1.")
    return np.arctan2(imaginary, real), []
