"""Names for types that TensorFlow and NumPy have no better ones for. Shapes are in the docstrings."""

from typing import Any, TypeAlias

import numpy as np

# A tf.Tensor, or what TensorFlow takes for one (it has no type stubs).
Tensor: TypeAlias = Any
# Rows of a table of parameters, a tensor [..., width].
Rows: TypeAlias = Any
# What training steps pass on from one to the next: tensors and variables in a structure of the steps' own.
State: TypeAlias = Any
# Example ids, or ids of entities, users or items: integers [n].
Ids: TypeAlias = np.ndarray
