"""The names of methods in results: those of older versions, and those of variants that only comparisons have."""

import json
from collections.abc import Collection, Mapping
from typing import Any

Result = Mapping[str, Any]
# Names of methods in older results, from before each had one name everywhere; the other names were in capitals.
_EARLIER_NAMES = {
    "TracInCP": "tracin, every epoch",
    "gradient dot": "dot",
    "gradient cosine": "cosine",
    "influence (query's rows)": "influence, query's rows",
    "influence (all)": "influence",
    "complete rollback": "rollback-all",
    "replay": "replay with epoch 1",
    "replay, median": "replay with epoch 1, median",
    "replay from epoch 2": "replay",
    "replay of the last epoch": "replay, last epoch",
    "FIA, decay as trained": "fia",
}


def with_present_names(result: Result) -> Result:
    """The result with the registry's names of methods, whichever version wrote it."""
    if not any(row["method"] == "NH" for row in result["rows"]):
        return result

    def renamed(part: dict[str, Any]) -> dict[str, Any]:
        name = part.get("method")
        return part if name is None else part | {"method": _EARLIER_NAMES.get(name, name.lower())}

    present: Result = json.loads(json.dumps(result), object_hook=renamed)
    return present


def is_variant(name: str, names: Collection[str]) -> bool:
    """Whether a name is of another version of one of the names, or of a sum, such as "replay, last epoch"."""
    base = name.partition(",")[0].partition(" ")[0]
    return name != base and base in names
