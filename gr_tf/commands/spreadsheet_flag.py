"""The flag of the commands that write CSV for people."""

from absl import flags

SPREADSHEET_SAFE = flags.DEFINE_bool(
    "spreadsheet_safe",
    False,
    "In CSV, write an apostrophe before names that begin with = + - @ or a tab, which a spreadsheet would run as a "
    "formula. Default: every name as it is.",
)
