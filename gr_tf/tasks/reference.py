"""Where a task comes from."""

import dataclasses
from typing import Any

from gr_tf.settings import Settings


@dataclasses.dataclass(frozen=True)
class TaskReference:
    """What a task can be made from again, anywhere; pickles in kilobytes.

    Attributes:
        kind: of the data.
        config: of the training.
        dataset, source, split: how the dataset is read: its name, folder or file, and what is held out.
        checksum: of the dataset's contents.
        initial: SHA-256 of initial values that were given; empty if they are drawn from the configuration's seed.
    """

    kind: str
    config: Settings
    dataset: str
    source: str | None
    split: Any
    checksum: str
    initial: str = ""
