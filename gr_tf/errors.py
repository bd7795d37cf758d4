"""Errors that a user can correct."""


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line that says where and what."""


class DamagedError(InputError):
    """A file that gr_tf wrote is no longer what it wrote; whatever reads it cannot go on."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the step and the example."""
