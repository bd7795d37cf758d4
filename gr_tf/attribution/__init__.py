"""Explainers: which training examples made the model predict this."""
