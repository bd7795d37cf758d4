"""Answers questions to trained models, and checks whether the answers are true."""
