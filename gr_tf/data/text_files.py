"""Reads text files as a whole; what is not UTF-8 text is told by what it is, such as a compressed file."""

import pathlib

from gr_tf.errors import InputError, short
from gr_tf.runs import files

# How files begin that are no text, and what to do about it.
_OTHER_FILES = {
    b"\x1f\x8b": "is compressed (gzip): unpack it first",
    b"BZh": "is compressed (bzip2): unpack it first",
    b"\xfd7zXZ": "is compressed (xz): unpack it first",
    b"PK\x03\x04": "is a zip archive or a spreadsheet: unpack it, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet: save it as CSV",
    b"PAR1": "is a Parquet file: its name must end in .parquet",
    b"\xff\xfe": "is not UTF-8 but UTF-16: save it as UTF-8",
    b"\xfe\xff": "is not UTF-8 but UTF-16: save it as UTF-8",
}

# How names of compressed files end.
_PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".tgz", ".tar")


def read_text(path: pathlib.Path, encoding: str = "utf-8-sig") -> str:
    """A text file; by default UTF-8, with or without byte order mark.

    Raises:
        InputError: if it cannot be read, or is another kind of file; naming the line that is not UTF-8 or has a NUL.
    """
    files.refuse_special(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    return decoded(path, data, encoding)


def decoded(path: pathlib.Path, data: bytes, encoding: str = "utf-8-sig") -> str:
    """The text of a file's bytes; see `read_text`."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        place, what = error.start, f"not UTF-8: byte {data[error.start]:#04x} ({error.reason})"
    else:
        # No name has a NUL, and programs in C take it for the end of a text.
        place, what = data.find(b"\0"), "has a NUL character: it is no text, or not UTF-8"
        if place < 0:
            return text
    for start, other in _OTHER_FILES.items():
        if data.startswith(start):
            raise InputError(f"{path}: {other}.")
    line = 1 + data.count(b"\n", 0, place)
    raise InputError(f"{path}:{line}: {what}.")


def packed_note(folder: pathlib.Path) -> str:
    """The end of a message that nothing is there, if the folder has a compressed file."""
    children = sorted(folder.iterdir()) if folder.is_dir() else []
    packed = [path.name for path in children if path.suffix.lower() in _PACKED]
    return f" {short(packed[0])} is compressed: unpack it first." if packed else ""
