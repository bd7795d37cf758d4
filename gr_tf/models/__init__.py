"""Models: what each computes from its parameters."""
