"""What a model computes from its parameters."""
