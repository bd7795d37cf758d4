"""The flag of the commands that print for people or for programs."""

from absl import flags

OUTPUT = flags.DEFINE_enum(
    "output",
    "text",
    ["text", "json", "csv"],
    "How to print what is found; csv: the examples, or names, as they are in the data, see --spreadsheet_safe.",
)
