"""Aliases of types that TensorFlow and NumPy do not name. Shapes are in the docstrings."""

from typing import Any, TypeAlias

import numpy as np

# A tf.Tensor, or anything that TensorFlow converts to one (it has no type stubs).
Tensor: TypeAlias = Any
# Rows of a table of parameters, a tensor [..., width].
Rows: TypeAlias = Any
# What one training step leaves to the next: tensors and variables, in a structure that the steps define.
State: TypeAlias = Any
# Example ids, or ids of entities, users or items: integers [n].
Ids: TypeAlias = np.ndarray
