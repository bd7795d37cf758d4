"""Settings: checked when they are made, kept as JSON, and told to people once, in their docstring."""

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from gr_tf.errors import InputError, argument, short

S = TypeVar("S", bound="Settings")
_ATTRIBUTE = re.compile(r"^    (\w+(?:, \w+)*): (.*?)(?=^    \w+(?:, \w+)*: |\Z)", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers that a setting may have.

    Attributes:
        low, high: the smallest and the largest; None: any.
        above: whether `low` itself is out of range.
    """

    low: float
    high: float | None = None
    above: bool = False

    def has(self, value: float) -> bool:
        """Whether a value is in the range; NaN and infinity never are."""
        inside = value > self.low if self.above else value >= self.low
        return inside and value < float("inf") and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if not self.above and self.high is not None:
            return f"from {self.low} to {self.high}"
        low = f"above {self.low:g}" if self.above else f"a number of at least {self.low:g}"
        return low if self.high is None else f"{low} and at most {self.high:g}"


# Of seeds that TensorFlow's stateless draws take, and of those that NumPy's take.
SEED, LONG_SEED = Range(0, (1 << 31) - 1), Range(0, (1 << 32) - 1)
RATE = Range(0, 1, above=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings: a frozen dataclass whose docstring says what each attribute is.

    Attributes are told to people (--help) by that docstring, so that nothing is said twice.
    """

    # The names of the flags that are not named as their setting.
    flag_names: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    choices: ClassVar[Mapping[str, Collection[str]]] = types.MappingProxyType({})
    ranges: ClassVar[Mapping[str, Range]] = types.MappingProxyType({})
    # Settings that are not told where they have their default: results on disk are older than they are. (A subclass
    # with such settings is a dataclass with repr=False.)
    later: ClassVar[Collection[str]] = ()

    def __post_init__(self) -> None:
        for name, choices in self.choices.items():
            value = getattr(self, name)
            if value not in choices:
                raise InputError(f"{self._argument(name)} must be one of {', '.join(choices)}; got {short(value)}.")
        for name, allowed in self.ranges.items():
            value = getattr(self, name)
            if value is not None and not allowed.has(value):
                raise InputError(f"{self._argument(name)} must be {allowed}; got {short(value)}.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._told().items())})"

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values; see also `later`."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self._told().items()}

    def _told(self) -> dict[str, Any]:
        values = ((name, getattr(self, name)) for name in self.names())
        return {name: value for name, value in values if name not in self.later or value != getattr(type(self), name)}

    @classmethod
    def of_dict(cls: type[S], told: Mapping[str, Any]) -> S:
        """Makes settings from what `to_dict` gave.

        Raises:
            InputError: if a setting is unknown or out of range.
        """
        cls.check_names(told)
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in told.items()})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the settings."""
        return tuple(field.name for field in dataclasses.fields(cls))

    @classmethod
    def flag_of(cls, name: str) -> str:
        """The flag of a setting."""
        return cls.flag_names.get(name, name)

    @classmethod
    def _argument(cls, name: str) -> str:
        """A setting in a message: its name for callers in Python, and its flag."""
        return argument(name, flag=cls.flag_of(name))

    @classmethod
    def check_names(cls, names: Iterable[str]) -> None:
        """
        Raises:
            InputError: if a name is not a setting's.
        """
        unknown = set(names) - set(cls.names())
        if unknown:
            raise InputError(f"{cls.__name__} has no {', '.join(sorted(unknown))}.")


def described(cls: type[Settings]) -> dict[str, str]:
    """What each setting is, in a sentence, from the docstring's section "Attributes"."""
    doc = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")[2]
    texts = {}
    for names, text in _ATTRIBUTE.findall(doc):
        for name in names.split(", "):
            texts[name] = " ".join(text.split())
    return {field.name: texts.get(field.name, "") for field in dataclasses.fields(cls)}


def kind_of(cls: type[Settings], name: str) -> type:
    """The type of a setting; of one that may be None, the other."""
    hint = typing.get_type_hints(cls)[name]
    options = [option for option in typing.get_args(hint) if option is not type(None)]
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and len(options) == 1:
        hint = options[0]
    return typing.get_origin(hint) or hint
