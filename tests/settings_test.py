"""Settings: checked when they are made, and told to people by their docstring."""

import dataclasses
import types
from typing import Any

import pytest

from gr_tf import settings
from gr_tf.errors import InputError
from gr_tf.settings import Range, Settings
from gr_tf.training.rating_config import RatingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Settings):
    """Settings of a test.

    Attributes:
        name: what it is
            called.
        low, high: its bounds.
        epochs: some of them.
    """

    name: str = "a"
    low: float = 0.5
    high: int | None = None
    epochs: tuple[int, ...] = (1, 2)

    choices = types.MappingProxyType({"name": ("a", "b")})
    ranges = types.MappingProxyType({"low": Range(0, 1, above=True), "high": Range(2)})


def test_every_setting_is_described_once() -> None:
    told = settings.described(Toy)
    assert list(told) == ["name", "low", "high", "epochs"]
    assert list(told.values()) == ["what it is called.", "its bounds.", "its bounds.", "some of them."]
    kinds = {name: settings.kind_of(Toy, name) for name in told}
    assert kinds == {"name": str, "low": float, "high": int, "epochs": tuple}


def test_settings_survive_json() -> None:
    made = Toy(name="b", high=3, epochs=())
    assert made.to_dict() == {"name": "b", "low": 0.5, "high": 3, "epochs": []}
    assert Toy.of_dict(made.to_dict()) == made
    with pytest.raises(InputError, match="Toy has no size, width"):
        Toy.of_dict({"width": 1, "size": 2, "low": 0.1})


def test_later_settings_are_told_if_they_are_not_the_default() -> None:
    """Settings of runs on disk that are older than they are stay equal to themselves."""
    assert "optimizer" not in RatingConfig().to_dict()
    assert repr(RatingConfig(steps=7)) == (
        "RatingConfig(model='mf', dim=16, steps=7, batch_size=3020, learning_rate=0.001, weight_decay=0.001, "
        "dtype='float32', seed=0)"
    )
    shares = RatingConfig(optimizer="sgd", epochs=3)
    assert (shares.to_dict()["optimizer"], shares.to_dict()["epochs"]) == ("sgd", 3)
    assert "patience" not in shares.to_dict()
    assert RatingConfig.of_dict(shares.to_dict()) == shares
    assert repr(shares) != repr(RatingConfig(optimizer="sgd", epochs=4))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "c"}, "name must be one of a, b; got 'c'"),
        ({"low": 0}, "low must be above 0 and at most 1; got 0"),
        ({"low": float("nan")}, "low must be above 0 and at most 1; got nan"),
        ({"high": 1}, "high must be a number of at least 2; got 1"),
        ({"high": float("inf")}, "high must be a number of at least 2; got inf"),
    ],
)
def test_out_of_range(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Toy(**wrong)
