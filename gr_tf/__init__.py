"""Training-data attribution for embedding models in TensorFlow 2."""

import lazy_loader

from gr_tf.version import VERSION as __version__  # noqa: F401, N811

# The names are in __init__.pyi; each is imported when it is first used, because TensorFlow takes seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
