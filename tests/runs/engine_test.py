"""How TensorFlow is loaded."""

import subprocess
import sys

import pytest

from tests.commands.program import ROOT

LOADED = """
import gc, os, sys
from gr_tf.runs import engine
engine.start_quietly()
assert "tensorflow" in sys.modules
assert "keras" not in sys.modules, "Keras takes a second to import"
assert "matplotlib" not in sys.modules
assert gc.isenabled() and gc.get_freeze_count() > 100_000
assert "TF_USE_LEGACY_KERAS" not in os.environ
import keras
import tensorflow as tf
# Keras is there for whoever asks, and the same for all.
assert tf.keras.layers.Dense is keras.layers.Dense
assert float(keras.layers.Dense(1, kernel_initializer="ones")(tf.ones([1, 2]))[0, 0]) == 2.0
from tensorflow.keras.layers import LSTM
assert LSTM is keras.layers.LSTM
"""


@pytest.mark.slow
def test_tensorflow_is_loaded_without_keras_which_can_be_loaded_later() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
