"""Datasets from their official addresses, checked whenever they are read, and kept.

Whatever is wrong with an address, its answer, or the cache ends in an InputError of one line. Nothing is written but
the wanted files, by their names alone, after their checksums were found right.
"""

import dataclasses
import gzip
import hashlib
import io
import os
import pathlib
import sys
import tarfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

import tqdm

from gr_tf.errors import InputError, argument
from gr_tf.runs import files

_SECONDS_TO_ANSWER = 8.0
_SECONDS_OF_SILENCE = 60.0
# Far above the published archives and their files; what is larger is something else.
_MOST_BYTES = 1 << 28
_CHUNK = 1 << 16
_ELSE = f"Name a folder that has its files with {argument('data_dir')}."


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
    """Where downloads are kept: $GR_TF_CACHE, or ~/.cache/gr_tf.

    Raises:
        InputError: if there is neither the variable nor a home folder.
    """
    named = os.environ.get("GR_TF_CACHE")
    if named:
        return pathlib.Path(named)
    try:
        return pathlib.Path.home() / ".cache" / "gr_tf"
    except RuntimeError:
        raise InputError(
            "there is no home folder to keep downloads in: name a folder with the environment variable GR_TF_CACHE."
        ) from None


def fetch(archive: Archive) -> pathlib.Path:
    """The folder with an archive's files, downloaded if they are not there yet.

    Raises:
        InputError: if the address cannot be reached, or a file, in the archive or in the cache, is not the published
            one.
    """
    folder = cache_folder() / archive.name
    if all((folder / name).is_file() for name in archive.checksums):
        for name, checksum in archive.checksums.items():
            if files.sha256(folder / name) != checksum:
                raise InputError(
                    f"{folder / name}: damaged: its SHA-256 is not the published one. Delete the folder {folder}, and "
                    "it is downloaded again."
                )
        return folder
    found = _unpacked(archive, _downloaded(archive))
    for name, checksum in archive.checksums.items():
        if name not in found:
            raise InputError(f"{archive.url}: has no file {name}.")
        if hashlib.sha256(found[name]).hexdigest() != checksum:
            raise InputError(f"{archive.url}: {name} is not the published one: its SHA-256 differs.")
    for name in archive.checksums:
        with files.new_file(folder / name) as new:
            new.write_bytes(found[name])
    return folder


def answer(url: str, method: str = "GET") -> Any:
    """The answer of an address, whose body is still to be read.

    Neither the search for the host's name nor several addresses of it can make this wait for longer than
    _SECONDS_TO_ANSWER.

    Raises:
        InputError: if there is none, or it says that something is wrong.
    """
    got: list[Any] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method=method)
            got.append(urllib.request.urlopen(request, timeout=_SECONDS_OF_SILENCE))
        except Exception as error:  # http.client raises errors of many classes for odd answers
            got.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_SECONDS_TO_ANSWER)
    if not got:
        raise InputError(f"{url}: cannot be downloaded: no answer within {_SECONDS_TO_ANSWER:g} seconds. {_ELSE}")
    if isinstance(got[0], Exception):
        raise _not_downloaded(url, got[0])
    return got[0]


def one_line(error: BaseException) -> str:
    """What an error says, in one line that is not empty."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def _not_downloaded(url: str, error: BaseException) -> InputError:
    reason = getattr(error, "reason", error)
    told = one_line(reason) if isinstance(reason, BaseException) else " ".join(str(reason).split(maxsplit=20)[:20])
    if isinstance(error, urllib.error.HTTPError):
        told = f"the server says {error.code} {told}".rstrip(". :")
    return InputError(f"{url}: cannot be downloaded: {told}. {_ELSE}")


def _downloaded(archive: Archive) -> io.BytesIO:
    """The bytes of an archive."""
    packed = io.BytesIO()
    with answer(archive.url) as response:
        told = response.headers.get("Content-Length") or ""
        size = int(told) if told.isascii() and told.isdecimal() and len(told) < 16 else None
        what, quiet = f"downloading {archive.name}", not sys.stderr.isatty()
        with tqdm.tqdm(desc=what, total=size, unit="B", unit_scale=True, disable=quiet) as bar:
            try:
                while chunk := response.read(_CHUNK):
                    bar.update(packed.write(chunk))
                    if packed.tell() > _MOST_BYTES:
                        raise InputError(f"{archive.url}: larger than {_MOST_BYTES >> 20} MB: not the published one.")
            except InputError:
                raise
            except Exception as error:  # as in `answer`
                raise _not_downloaded(archive.url, error) from None
    if size is not None and packed.tell() < size:
        cut = ConnectionError(f"the connection ended after {packed.tell()} of {size} bytes")
        raise _not_downloaded(archive.url, cut)
    return packed


def _unpacked(archive: Archive, packed: io.BytesIO) -> dict[str, bytes]:
    """The contents of the wanted files, by their names without folders."""
    packed.seek(0)
    start = packed.read(256).lstrip().lower()
    packed.seek(0)
    if start.startswith((b"<!doctype", b"<html")):
        raise InputError(f"{archive.url}: gave a web page instead of an archive. {_ELSE}")
    try:
        return dict(_members(archive, packed))
    except InputError:
        raise
    except Exception as error:  # a damaged archive makes the libraries raise errors of many classes
        raise InputError(f"{archive.url}: not a whole archive: {one_line(error)}.") from None


def _members(archive: Archive, packed: io.BytesIO) -> Iterator[tuple[str, bytes]]:
    """The names and contents of an archive's wanted files."""

    def whole(file: IO[bytes] | gzip.GzipFile, what: str) -> bytes:
        content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InputError(f"{archive.url}: {what} is larger than {_MOST_BYTES >> 20} MB: not the published one.")
        return content

    if archive.url.endswith(".zip"):
        with zipfile.ZipFile(packed) as zipped:
            for member in zipped.infolist():
                name = pathlib.PurePosixPath(member.filename).name
                if name in archive.checksums and not member.is_dir():
                    with zipped.open(member) as file:
                        yield name, whole(file, name)
        return
    with gzip.open(packed) as unzipped:
        plain = io.BytesIO(whole(unzipped, "what is in it"))
    with tarfile.open(fileobj=plain, mode="r:") as taped:
        for entry in taped:
            name = pathlib.PurePosixPath(entry.name).name
            content = taped.extractfile(entry) if name in archive.checksums and entry.isfile() else None
            if content is not None:
                yield name, content.read()
