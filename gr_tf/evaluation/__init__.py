"""Checks whether explanations are true, by retraining without what they name."""
