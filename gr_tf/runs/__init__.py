"""Durability: whole files, checkpoints, journals, run directories, progress, and how TensorFlow is started."""
