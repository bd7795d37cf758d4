"""Rating models: what they compute, how they start, and the linearity that the explicit Hessian rests on."""

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.models.matrix_factorization import MatrixFactorization
from gr_tf.models.neural_cf import NeuralCF
from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel

MODELS: list[type[RatingModel]] = [MatrixFactorization, NeuralCF]


def drawn(model: RatingModel, seed: int = 0) -> Parameters:
    """Parameters with nothing at zero."""
    generator = np.random.default_rng(seed)
    start = model.initial_parameters(seed)
    return Parameters(
        start.table + 0.3 * generator.normal(size=start.table.shape),
        tuple(array + 0.3 * generator.normal(size=array.shape) for array in start.shared),
    )


def test_predictions_are_the_written_formulas() -> None:
    pairs = np.array([[0, 2], [3, 0], [3, 2]])
    mf = MatrixFactorization(5, 4, 6, "float64")
    parameters = drawn(mf)
    users, items = parameters.table[pairs[:, 0]], parameters.table[5 + pairs[:, 1]]
    want = (users[:, :6] * items[:, :6]).sum(1) + users[:, 6] + items[:, 6] + parameters.shared[0]
    np.testing.assert_allclose(mf.predict_pairs(parameters, pairs), want, rtol=1e-14)

    ncf = NeuralCF(5, 4, 6, "float64")
    parameters = drawn(ncf)
    users, items = parameters.table[pairs[:, 0]], parameters.table[5 + pairs[:, 1]]
    kernel1, bias1, kernel2, bias2, kernel3, bias3 = parameters.shared
    assert [array.shape for array in parameters.shared] == [(12, 6), (6,), (6, 3), (3,), (9, 1), (1,)]
    hidden = np.maximum(np.concatenate([users[:, :6], items[:, :6]], axis=1) @ kernel1 + bias1, 0)
    hidden = np.maximum(hidden @ kernel2 + bias2, 0)
    want = (np.concatenate([hidden, users[:, 6:] * items[:, 6:]], axis=1) @ kernel3 + bias3)[:, 0]
    np.testing.assert_allclose(ncf.predict_pairs(parameters, pairs), want, rtol=1e-12)


@pytest.mark.parametrize("kind", MODELS)
def test_predictions_are_piecewise_linear_in_either_row(kind: type[RatingModel]) -> None:
    """Second differences vanish along any direction of one row, but where a ReLU changes sides."""
    model = kind(3, 3, 4, "float64")
    parameters = drawn(model)
    generator = np.random.default_rng(1)
    network = [tf.constant(array) for array in parameters.shared]
    for side in (0, 1):
        rows = [parameters.table[0], parameters.table[model.num_users + 1]]
        direction = generator.normal(size=model.width)
        steps = 1e-3 * np.array([-1, 0, 1])
        moved = [np.repeat(row[None], 3, axis=0) for row in rows]
        moved[side] = moved[side] + steps[:, None] * direction
        low, middle, high = model.predict(tf.constant(moved[0]), tf.constant(moved[1]), network).numpy()
        assert low - 2 * middle + high == pytest.approx(0, abs=1e-14)
        assert abs(high - low) > 1e-5


@pytest.mark.parametrize("kind", MODELS)
def test_initial_values(kind: type[RatingModel]) -> None:
    single, double = (kind(300, 200, 16, dtype).initial_parameters(4) for dtype in ("float32", "float64"))
    for one, other in zip((single.table, *single.shared), (double.table, *double.shared), strict=True):
        np.testing.assert_array_equal(one, other.astype(np.float32))
    factors = double.table[:, :16]
    # A normal cut at two standard deviations has 0.88 of its deviation.
    assert np.abs(factors).max() <= 2 / 4
    assert factors.std() == pytest.approx(0.8796 / 4, rel=0.02)
    assert not np.array_equal(factors, kind(300, 200, 16, "float64").initial_parameters(5).table[:, :16])
    if kind is MatrixFactorization:
        assert not double.table[:, 16].any()
        assert double.shared[0] == 0
    else:
        assert not any(double.shared[i].any() for i in (1, 3, 5))
        assert double.shared[0].std() == pytest.approx(0.8796 / np.sqrt(32), rel=0.1)


@pytest.mark.parametrize("kind", MODELS)
def test_parameters_survive_files(kind: type[RatingModel]) -> None:
    parameters = kind(3, 4, 2).initial_parameters(0)
    again = Parameters.of_arrays(parameters.to_arrays())
    np.testing.assert_array_equal(again.table, parameters.table)
    assert len(again.shared) == len(parameters.shared)
    for one, other in zip(again.shared, parameters.shared, strict=True):
        np.testing.assert_array_equal(one, other)


def test_predictions_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MatrixFactorization(5, 4, 6, "float64")
    pairs = np.stack([np.arange(20) % 5, np.arange(20) % 4], axis=1)
    whole = model.predict_pairs(drawn(model), pairs)
    monkeypatch.setattr("gr_tf.models.rating_model._AT_ONCE", 7)
    np.testing.assert_array_equal(model.predict_pairs(drawn(model), pairs), whole)
