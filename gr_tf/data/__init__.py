"""Data: readers of files, vocabularies, datasets with example ids."""
