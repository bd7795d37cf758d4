"""What the columns of one's own files are called: `user:customer_id,item:sku`."""

import csv
import dataclasses
import io
from collections.abc import Collection, Mapping
from typing import ClassVar, TypeVar

from gr_tf.errors import InputError, argument, listed, short
from gr_tf.settings import Settings

S = TypeVar("S", bound="ColumnNames")
# What a column may be named for, of any kind of data.
TRIPLE_FIELDS = ("head", "relation", "tail")
ITEM_FIELDS = ("user", "item", "rating", "time", "title")
_EXAMPLE = "user:customer_id,item:sku"


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class ColumnNames(Settings):
    """Base of the settings of how data are read, which tell what one's own columns are called.

    Attributes:
        columns: what the columns are called, see `named_columns`; None: all have names that are known.
    """

    columns: str | None = None

    # What a column may be named for.
    fields: ClassVar[tuple[str, ...]] = ()
    later = ("columns",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.columns is not None:
            # A mapping, such as of Python, is as good as a text; results on disk have the text.
            named = named_columns(self.columns, self.fields)
            object.__setattr__(self, "columns", _as_text(named) or None)

    @property
    def named(self) -> dict[str, str]:
        """The names of columns by what is in them."""
        return named_columns(self.columns, self.fields)

    def with_columns(self: S, columns: str | Mapping[str, str] | None) -> S:
        """The same with other columns; None: its own."""
        if columns is None:
            return self
        return dataclasses.replace(self, columns=_as_text(named_columns(columns, self.fields)) or None)

    def refuse_columns(self, dataset: str) -> None:
        """
        Raises:
            InputError: if columns are named of a dataset whose columns are known.
        """
        if self.named:
            raise InputError(
                f"{argument('columns')} are named of one's own files, in {argument('data_dir')}; those of {dataset} "
                "are known."
            )


def named_columns(told: str | Mapping[str, str] | None, fields: Collection[str] = ()) -> dict[str, str]:
    """The names of columns by what is in them.

    Args:
        told: such as "user:customer_id,item:sku", or a mapping; a part with a comma needs quotes, as in CSV.
        fields: what a column may be named for; default: that of any kind of data.

    Raises:
        InputError: if a part is not of this form, or a field is unknown or there twice, or a column.
    """
    fields = tuple(fields) or (*TRIPLE_FIELDS, *ITEM_FIELDS)
    pairs = _pairs(told) if isinstance(told, str) else list((told or {}).items())
    named: dict[str, str] = {}
    for field, name in pairs:
        if field not in fields:
            raise InputError(
                f"{argument('columns')}: there is no {short(field)} in such data; want one of {', '.join(fields)}."
            )
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"{argument('columns')}: the {field} has no name of a column; want one, as in {_EXAMPLE}.")
        if field in named:
            raise InputError(
                f"{argument('columns')}: the {field} is named twice: {short(named[field])} and {short(name)}."
            )
        if name in named.values():
            other = next(one for one, its in named.items() if its == name)
            raise InputError(
                f"{argument('columns')}: {short(name)} is named for the {other} and for the {field}; want one of them."
            )
        named[field] = name
    return named


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        (parts,) = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    except (ValueError, csv.Error):
        raise InputError(f"{argument('columns')}: want WHAT:NAME,..., as in {_EXAMPLE}; got {short(text)}.") from None
    pairs = [part.partition(":") for part in parts]
    wrong = [part for part, (_, colon, _) in zip(parts, pairs, strict=True) if not colon]
    if wrong:
        raise InputError(f"{argument('columns')}: want WHAT:NAME,..., as in {_EXAMPLE}; got {short(wrong[0])}.")
    return [(field.strip(), name.strip()) for field, _, name in pairs]


def _as_text(named: Mapping[str, str]) -> str:
    """As `named_columns` reads it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([f"{field}:{name}" for field, name in named.items()])
    return text.getvalue() if named else ""


def how_to_name(names: Collection[str], *choices: Collection[str]) -> str:
    """How to say which columns are meant: for the end of a message about a table with these column names."""
    if not names:
        return "; its columns are none."
    told = argument("columns", *(",".join(f"{field}:NAME" for field in fields) for fields in choices))
    return f"; its columns are {listed(names)}. Say which are meant with {told}."
