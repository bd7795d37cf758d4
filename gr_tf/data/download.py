"""Datasets from their official addresses, checked and kept."""

import dataclasses
import os
import pathlib
import shutil
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Collection, Mapping

import tqdm

from gr_tf.errors import InputError
from gr_tf.runs import files

_CHUNK = 1 << 16


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
    with tempfile.TemporaryDirectory() as temporary:
        downloaded = pathlib.Path(temporary) / pathlib.PurePosixPath(archive.url).name
        _download(archive, downloaded)
        unpacked = pathlib.Path(temporary) / "unpacked"
        _unpack(downloaded, unpacked, archive.checksums)
        for name, checksum in archive.checksums.items():
            if not (unpacked / name).exists():
                raise InputError(f"{archive.url}: has no file {name}.")
            if files.sha256(unpacked / name) != checksum:
                raise InputError(f"{archive.url}: {name} is not the published one: its SHA-256 differs.")
            with files.new_file(folder / name) as new:
                shutil.copyfile(unpacked / name, new)
    return folder


def _download(archive: Archive, path: pathlib.Path) -> None:
    try:
        with urllib.request.urlopen(archive.url, timeout=60) as response, path.open("wb") as file:
            total = int(response.headers.get("Content-Length") or 0) or None
            with tqdm.tqdm(
                desc=f"downloading {archive.name}",
                total=total,
                unit="B",
                unit_scale=True,
                disable=not sys.stderr.isatty(),
            ) as bar:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
    except (urllib.error.URLError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{archive.url}: cannot be downloaded: {reason}. Name a folder that has its files with --data_dir."
        ) from None


def _unpack(path: pathlib.Path, folder: pathlib.Path, names: Collection[str]) -> None:
    """Takes the files of some names out of whatever folders the archive has them in."""
    folder.mkdir()
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as packed:
                for member in packed.namelist():
                    if pathlib.PurePosixPath(member).name in names:
                        (folder / pathlib.PurePosixPath(member).name).write_bytes(packed.read(member))
        else:
            with tarfile.open(path) as packed_tar:
                for entry in packed_tar:
                    content = packed_tar.extractfile(entry) if entry.isfile() else None
                    if content is not None and pathlib.PurePosixPath(entry.name).name in names:
                        (folder / pathlib.PurePosixPath(entry.name).name).write_bytes(content.read())
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise InputError(f"{path.name}: not a whole archive: {error}.") from None
