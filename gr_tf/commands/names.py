"""Searches the names in your data: what an entity, a relation, a user, or an item is called.

gr_tf names --data_dir=my/folder --search=beij
gr_tf names --run_dir=runs/nations-triples --search=export --limit=50
gr_tf names --data_dir=my/ratings --search="toy story"

A name is found if it contains the text, or if its label or title does, in capitals or not, with accents or without.
Without --search all names are listed, the most frequent first. Nothing is trained.
"""

import json
import sys

from absl import flags

from gr_tf.commands import data_flags, help_text, open_flags, run_flags
from gr_tf.commands.output_flag import OUTPUT
from gr_tf.commands.spreadsheet_flag import SPREADSHEET_SAFE
from gr_tf.data.found_names import found_names
from gr_tf.errors import InputError, short
from gr_tf.report.tables import as_text
from gr_tf.runs.csv_text import csv_text

_SEARCH = flags.DEFINE_string("search", "", "The text to look for. Default: all names.")
_LIMIT = flags.DEFINE_integer("limit", 20, "How many names to list; 0: all that are found.", lower_bound=0)


def sections() -> list[help_text.Section]:
    """The flags that --help lists."""
    data = [data_flags.DATA_DIR.name, data_flags.DATASET.name, open_flags.KIND.name, run_flags.RUN_DIR.name]
    own = [_SEARCH.name, _LIMIT.name, OUTPUT.name, SPREADSHEET_SAFE.name]
    return [("The search", own), ("Data, or a run's folder", data), *open_flags.split_sections()]


def main() -> None:
    """Searches."""
    if SPREADSHEET_SAFE.value and OUTPUT.value != "csv":
        raise InputError(f"--spreadsheet_safe is for --output=csv; got --output={OUTPUT.value}.")
    open_flags.refuse_training()
    found = found_names(open_flags.read_dataset(open_flags.kind()), _SEARCH.value)
    shown = found.head(_LIMIT.value or len(found))
    if OUTPUT.value == "csv":
        print(csv_text(shown, spreadsheet_safe=SPREADSHEET_SAFE.value), end="")
    elif OUTPUT.value == "json":
        told = {"search": _SEARCH.value, "found": len(found), "names": shown.to_dict("records")}
        print(json.dumps(told, indent=1, ensure_ascii=False))
    elif len(found):
        print(as_text(shown))
    if len(shown) < len(found):
        print(f"{len(shown)} of {len(found)} names; --limit=0 lists all.", file=sys.stderr)
    if not len(found):
        print(f"No name and no label contains {short(_SEARCH.value)}.", file=sys.stderr)
