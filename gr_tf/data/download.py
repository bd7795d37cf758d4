"""Datasets from their official addresses, checked and kept."""

import dataclasses
import hashlib
import io
import os
import pathlib
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping

import tqdm

from gr_tf.errors import InputError
from gr_tf.runs import files


@dataclasses.dataclass(frozen=True)
class Archive:
    """A published archive and the files that are wanted of it.

    Attributes:
        name: of the folder they are kept in.
        url: the official address of a .zip or .tar.gz file.
        checksums: SHA-256 by file name, whatever folder the archive has the file in.
    """

    name: str
    url: str
    checksums: Mapping[str, str]


def cache_folder() -> pathlib.Path:
    """Where downloads are kept: $GR_TF_CACHE, or ~/.cache/gr_tf."""
    return pathlib.Path(os.environ.get("GR_TF_CACHE", pathlib.Path.home() / ".cache" / "gr_tf"))


def fetch(archive: Archive) -> pathlib.Path:
    """The folder with an archive's files, downloaded if they are not there yet.

    Raises:
        InputError: if the address cannot be reached, or a file is not the published one.
    """
    folder = cache_folder() / archive.name
    if all((folder / name).exists() for name in archive.checksums):
        return folder
    try:
        found = {
            pathlib.PurePosixPath(name).name: content for name, content in _members(archive.url, _download(archive))
        }
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise InputError(f"{archive.url}: not a whole archive: {error}.") from None
    for name, checksum in archive.checksums.items():
        if name not in found:
            raise InputError(f"{archive.url}: has no file {name}.")
        if hashlib.sha256(found[name]).hexdigest() != checksum:
            raise InputError(f"{archive.url}: {name} is not the published one: its SHA-256 differs.")
        with files.new_file(folder / name) as new:
            new.write_bytes(found[name])
    return folder


def _download(archive: Archive) -> io.BytesIO:
    packed = io.BytesIO()
    try:
        with urllib.request.urlopen(archive.url, timeout=60) as response:
            total = int(response.headers.get("Content-Length") or 0) or None
            what, quiet = f"downloading {archive.name}", not sys.stderr.isatty()
            with tqdm.tqdm.wrapattr(response, "read", total, desc=what, disable=quiet) as body:
                shutil.copyfileobj(body, packed)
    except (urllib.error.URLError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{archive.url}: cannot be downloaded: {reason}. Name a folder that has its files with --data_dir."
        ) from None
    packed.seek(0)
    return packed


def _members(url: str, packed: io.BytesIO) -> Iterator[tuple[str, bytes]]:
    """The names and contents of an archive's files."""
    if url.endswith(".zip"):
        with zipfile.ZipFile(packed) as zipped:
            yield from ((name, zipped.read(name)) for name in zipped.namelist())
    else:
        with tarfile.open(fileobj=packed) as taped:
            for entry in taped:
                file = taped.extractfile(entry) if entry.isfile() else None
                if file is not None:
                    yield entry.name, file.read()
