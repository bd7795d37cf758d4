"""Titles of items."""

import re
from collections.abc import Mapping

from gr_tf.data.vocabulary import Vocabulary

_LEADING_ARTICLE = re.compile(r"(The|A|An) (.+?)( \(\d{4}\))?")


def title_of(items: Vocabulary, titles: Mapping[str, str], item: int) -> str:
    """An item's title; its name where it has none."""
    name = items.names[item]
    return titles.get(name, name)


def item_of(items: Vocabulary, titles: Mapping[str, str], label: str) -> int:
    """The id of the item with a name or title; "The Lion King (1994)" finds "Lion King, The (1994)".

    Raises:
        InputError: if it is unknown, with close ones suggested, or a title is of several items.
    """
    match = _LEADING_ARTICLE.fullmatch(label)
    if match is not None and label not in items.ids and label not in titles.values():
        catalogued = f"{match[2]}, {match[1]}{match[3] or ''}"
        label = catalogued if catalogued in titles.values() else label
    return items.id_of(label, titles)
