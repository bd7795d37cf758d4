"""The precisions that models are trained in."""

DTYPES = ("float64", "float32")
