"""Values that several processes of one machine look at, without a copy of their arrays in each."""

import dataclasses
import functools
import mmap
import pathlib
import pickle
import shutil
import tempfile
from typing import Any

# Arrays start where vector instructions like it.
_ALIGNMENT = 64
# How many values a process keeps open.
_KEPT_OPEN = 16


@dataclasses.dataclass(frozen=True)
class SharedFile:
    """A value in a file; pickles as the file's path.

    Attributes:
        path: the file.
        places: where each array is in it: its first byte, and the one after its last.
        pickled: everything but the arrays.
    """

    path: str
    places: tuple[tuple[int, int], ...]
    pickled: bytes = dataclasses.field(repr=False)

    def value(self) -> Any:
        """The value; its arrays are pages of the file, and cannot be written to."""
        return _opened(self)


class SharedFolder:
    """A folder for values, deleted when it is closed."""

    def __init__(self) -> None:
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="gr_tf-"))
        self._count = 0

    def share(self, value: Any) -> SharedFile:
        """Writes a value.

        Raises:
            OSError: if the disk is full.
        """
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        path, places = self.path / str(self._count), []
        self._count += 1
        with path.open("wb") as file:
            for buffer in buffers:
                file.write(b"\0" * (-file.tell() % _ALIGNMENT))
                first = file.tell()
                file.write(buffer.raw())
                places.append((first, file.tell()))
        return SharedFile(str(path), tuple(places), pickled)

    def close(self) -> None:
        """Deletes the files; who has them open can go on reading."""
        shutil.rmtree(self.path, ignore_errors=True)


@functools.lru_cache(maxsize=_KEPT_OPEN)
def _opened(shared: SharedFile) -> Any:
    with open(shared.path, "rb") as file:
        is_empty = not shared.places or shared.places[-1][1] == 0
        pages = memoryview(b"" if is_empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return pickle.loads(shared.pickled, buffers=[pages[first:end] for first, end in shared.places])
