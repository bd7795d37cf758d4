"""The layouts of PyKEEN, LibKGE and DGL-KE, against the scores that each publishes, written out in numpy."""

from collections.abc import Callable

import numpy as np
import pytest

from gr_tf.errors import InputError
from gr_tf.models.foreign import Converted, Layout, converted
from gr_tf.models.knowledge_graph_models import MODELS

Rows = np.ndarray
NUM_ENTITIES, NUM_RELATIONS, DIM = 6, 4, 5
GAMMA = 9.0


def complex_rows(generator: np.random.Generator, count: int) -> Rows:
    return (generator.normal(size=(count, DIM)) + 1j * generator.normal(size=(count, DIM))).astype(np.complex64)


def rotations(generator: np.random.Generator, count: int) -> Rows:
    return np.exp(1j * generator.uniform(-np.pi, np.pi, (count, DIM))).astype(np.complex64)


def real_rows(width: int) -> Callable[[np.random.Generator, int], Rows]:
    return lambda generator, count: generator.normal(size=(count, width)).astype(np.float32)


def halves(row: Rows) -> tuple[Rows, Rows]:
    """torch.chunk(row, 2)."""
    return row[: len(row) // 2], row[len(row) // 2 :]


def distmult(h: Rows, r: Rows, t: Rows) -> float:
    """All three: sum of h * r * t."""
    return float((h * r * t).sum())


def transe(order: int) -> Callable[[Rows, Rows, Rows], float]:
    """PyKEEN's TransEInteraction(p) and LibKGE's -pairwise_distance(h + r, t, p)."""
    return lambda h, r, t: -float(np.linalg.norm(h + r - t, ord=order))


def transe_dglke(order: int) -> Callable[[Rows, Rows, Rows], float]:
    """DGL-KE's TransEScore: gamma - norm(head + rel - tail, p)."""
    return lambda h, r, t: GAMMA - float(np.linalg.norm(h + r - t, ord=order))


def complex_pykeen(h: Rows, r: Rows, t: Rows) -> float:
    """PyKEEN's ComplExInteraction: Re(h * r * conj(t))."""
    return float((h * r * t.conj()).sum().real)


def complex_of_halves(h: Rows, r: Rows, t: Rows) -> float:
    """LibKGE's ComplExScorer (Eq. 11 of Trouillon et al.), DGL-KE's ComplExScore: the four products."""
    (h_re, h_im), (r_re, r_im), (t_re, t_im) = map(halves, (h, r, t))
    return float((h_re * t_re * r_re + h_im * t_im * r_re + h_re * t_im * r_im - h_im * t_re * r_im).sum())


def rotate_pykeen(order: int) -> Callable[[Rows, Rows, Rows], float]:
    """PyKEEN's RotatEInteraction: negative_norm(h * r - t, p)."""
    return lambda h, r, t: -float((np.abs(h * r - t) ** order).sum() ** (1 / order))


def _moduli(h: Rows, angles: Rows, t: Rows) -> Rows:
    (h_re, h_im), (t_re, t_im) = halves(h), halves(t)
    r_re, r_im = np.cos(angles), np.sin(angles)
    real, imaginary = h_re * r_re - h_im * r_im - t_re, h_re * r_im + h_im * r_re - t_im
    return np.sqrt(real**2 + imaginary**2)


def rotate_libkge(order: int) -> Callable[[Rows, Rows, Rows], float]:
    """LibKGE's RotatEScorer: relations are angles; minus the norm of the moduli."""
    return lambda h, r, t: -float(np.linalg.norm(_moduli(h, r, t), ord=order))


def rotate_dglke(gamma: float) -> Callable[[Rows, Rows, Rows], float]:
    """DGL-KE's RotatEScore: phase = rel / (emb_init / pi), emb_init = (gamma + eps) / hidden_dim, eps = 2."""

    def score(h: Rows, r: Rows, t: Rows) -> float:
        emb_init = (gamma + 2.0) / len(r)
        return gamma - float(_moduli(h, r / (emb_init / np.pi), t).sum())

    return score


# Layout settings, entity rows, relation rows, score, and what it adds to ours.
CASES = {
    **{
        f"{convention} distmult": ({"model": "distmult"}, real_rows(DIM), real_rows(DIM), distmult, 0.0)
        for convention in ("pykeen", "libkge", "dglke")
    },
    **{
        f"{convention} transe norm {order}": (
            {"model": "transe", **({} if default == order else {"norm": order})},
            real_rows(DIM),
            real_rows(DIM),
            formula(order),
            added,
        )
        for convention, default, formula, added in (
            ("pykeen", 1, transe, 0.0),
            ("libkge", 1, transe, 0.0),
            ("dglke", 2, transe_dglke, GAMMA),
        )
        for order in (1, 2)
    },
    "pykeen complex": ({"model": "complex"}, complex_rows, complex_rows, complex_pykeen, 0.0),
    "libkge complex": ({"model": "complex"}, real_rows(2 * DIM), real_rows(2 * DIM), complex_of_halves, 0.0),
    "dglke complex": ({"model": "complex"}, real_rows(2 * DIM), real_rows(2 * DIM), complex_of_halves, 0.0),
    "pykeen rotate": ({"model": "rotate"}, complex_rows, rotations, rotate_pykeen(2), 0.0),
    "pykeen rotate norm 1": ({"model": "rotate", "norm": 1}, complex_rows, rotations, rotate_pykeen(1), 0.0),
    "libkge rotate": ({"model": "rotate"}, real_rows(2 * DIM), real_rows(DIM), rotate_libkge(1), 0.0),
    "libkge rotate norm 2": ({"model": "rotate", "norm": 2}, real_rows(2 * DIM), real_rows(DIM), rotate_libkge(2), 0.0),
    "dglke rotate": ({"model": "rotate"}, real_rows(2 * DIM), real_rows(DIM), rotate_dglke(12.0), 12.0),
    "dglke rotate gamma": (
        {"model": "rotate", "gamma": GAMMA},
        real_rows(2 * DIM),
        real_rows(DIM),
        rotate_dglke(GAMMA),
        GAMMA,
    ),
}


def here(found: Converted) -> Rows:
    """Scores [num_entities, num_relations, num_entities] of this package's model."""
    model = MODELS[found.model](NUM_ENTITIES, len(found.relations), found.dim)
    assert found.entities.shape[1] == found.relations.shape[1] == model.width
    scores: Rows = model.score(
        found.entities[:, None, None], found.relations[None, :, None], found.entities[None, None]
    )
    return np.asarray(scores)


def there(score: Callable[[Rows, Rows, Rows], float], entities: Rows, relations: Rows) -> Rows:
    """The same by a formula."""
    entities, relations = (
        array.astype(complex if np.iscomplexobj(array) else float) for array in (entities, relations)
    )
    return np.array([[[score(h, r, t) for t in entities] for r in relations] for h in entities])


@pytest.mark.parametrize("name", CASES)
def test_scores_are_the_tools(name: str) -> None:
    settings, of_entities, of_relations, score, added = CASES[name]
    layout = Layout(convention=name.partition(" ")[0], **settings)  # type: ignore[arg-type]
    generator = np.random.default_rng(3)
    entities, relations = of_entities(generator, NUM_ENTITIES), of_relations(generator, NUM_RELATIONS)
    found = converted(layout, entities, relations, NUM_RELATIONS, "relations.npy")
    assert found.inverses is None
    np.testing.assert_allclose(here(found) + added, there(score, entities, relations), rtol=1e-5, atol=1e-5)


def test_complex_numbers_viewed_as_numbers() -> None:
    """A complex64 array viewed as float32 has real and imaginary part in turn."""
    generator = np.random.default_rng(3)
    entities, relations = complex_rows(generator, NUM_ENTITIES), complex_rows(generator, NUM_RELATIONS)
    layout = Layout(model="complex", convention="pykeen")
    whole = converted(layout, entities, relations, NUM_RELATIONS, "")
    viewed = converted(layout, entities.view(np.float32), relations.view(np.float32), NUM_RELATIONS, "")
    np.testing.assert_array_equal(viewed.entities, whole.entities)
    np.testing.assert_array_equal(viewed.relations, whole.relations)


@pytest.mark.parametrize(("convention", "own"), [("pykeen", slice(0, None, 2)), ("libkge", slice(None, NUM_RELATIONS))])
def test_inverse_relations(convention: str, own: slice) -> None:
    """PyKEEN: rows 2r and 2r + 1; LibKGE: r and r + R. (o, inverse of r, s) is scored by the inverse's row."""
    generator = np.random.default_rng(3)
    entities, relations = (real_rows(DIM)(generator, count) for count in (NUM_ENTITIES, 2 * NUM_RELATIONS))
    found = converted(Layout(model="distmult", convention=convention), entities, relations, NUM_RELATIONS, "")
    assert found.inverses is not None
    np.testing.assert_array_equal(found.relations, relations[own])
    np.testing.assert_array_equal(found.inverses, np.delete(relations, np.arange(2 * NUM_RELATIONS)[own], axis=0))
    assert any("inverse relations" in note for note in found.notes)


def test_what_was_assumed_is_told() -> None:
    generator = np.random.default_rng(3)
    entities, relations = real_rows(2 * DIM)(generator, 3), real_rows(DIM)(generator, 2)
    told = converted(Layout(model="rotate", convention="dglke"), entities, relations, 2, "").notes
    assert told == (
        "gamma is 12, the default of dglke: the relations' phases depend on it",
        "rotate with the L1 norm, the default of dglke",
    )
    told = converted(Layout(model="rotate", convention="dglke", gamma=12, norm=1), entities, relations, 2, "").notes
    assert told == ("rotate with the L1 norm",)


@pytest.mark.parametrize(
    ("settings", "widths", "rows", "message"),
    [
        ({"model": "distmult", "convention": "libkge"}, (4, 3), 2, r"r\.npy: the entities of distmult are as wide as"),
        ({"model": "rotate", "convention": "libkge"}, (4, 4), 2, r"r\.npy: .* rotate are twice as wide as its rel"),
        ({"model": "complex", "convention": "dglke"}, (3, 3), 2, r"r\.npy: .* real and imaginary parts; got 3 numbers"),
        ({"model": "complex", "convention": "dglke"}, (4, 4), 4, r"r\.npy: has 4 rows for 2 relations"),
        ({"model": "complex", "convention": "libkge"}, (4, 4), 3, r"r\.npy: has 3 rows for 2 relations"),
        ({"model": "rotate", "convention": "pykeen"}, (4, 3), 2, r"r\.npy: .* real and imaginary parts; got 3 numbers"),
        ({"model": "rotate", "convention": "pykeen"}, (4, 4), 2, r"r\.npy: row \d is no rotation: PyKEEN's rotate has"),
    ],
)
def test_arrays_that_do_not_suit(settings: dict[str, str], widths: tuple[int, int], rows: int, message: str) -> None:
    generator = np.random.default_rng(3)
    arrays = real_rows(widths[0])(generator, 3), real_rows(widths[1])(generator, rows)
    with pytest.raises(InputError, match=message):
        converted(Layout(**settings), *arrays, 2, "r.npy")  # type: ignore[arg-type]


def test_complex_numbers_of_a_tool_that_has_none() -> None:
    array = complex_rows(np.random.default_rng(3), 2)
    for settings in ({"model": "complex", "convention": "libkge"}, {"model": "distmult", "convention": "pykeen"}):
        with pytest.raises(InputError, match=r"r\.npy: \w+'s \w+ has no complex numbers, such as these are"):
            converted(Layout(**settings), array, array, 2, "r.npy")  # type: ignore[arg-type]


def test_settings_that_do_not_suit() -> None:
    with pytest.raises(InputError, match="norm is of transe and rotate; complex has none"):
        Layout(model="complex", convention="pykeen", norm=1)
    with pytest.raises(InputError, match="gamma scales the phases of DGL-KE's rotate only; not of pykeen's rotate"):
        Layout(model="rotate", convention="pykeen", gamma=3.0)
    with pytest.raises(InputError, match="norm must be from 1 to 2; got 3"):
        Layout(model="transe", convention="pykeen", norm=3)
    with pytest.raises(InputError, match="convention must be one of pykeen, libkge, dglke; got 'ampligraph'"):
        Layout(model="transe", convention="ampligraph")
