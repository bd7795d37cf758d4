"""Experiment binaries: one for each table or figure of a paper."""
