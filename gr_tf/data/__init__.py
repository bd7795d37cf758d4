"""Files, vocabularies, example ids."""
