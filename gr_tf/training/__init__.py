"""Training: one loop, and the steps of each kind of data."""
