"""Experiment binaries: one a table or figure of a paper."""
