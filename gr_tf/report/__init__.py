"""Run directories, progress, tables."""
