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
from collections.abc import Mapping

import tqdm

from gr_tf import files
from gr_tf.errors import InputError

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
        _unpack(downloaded, unpacked)
        for name, checksum in archive.checksums.items():
            found = [path for path in unpacked.rglob(name) if path.is_file()]
            if not found:
                raise InputError(f"{archive.url}: has no file {name}.")
            if files.sha256(found[0]) != checksum:
                raise InputError(f"{archive.url}: {name} is not the published one: its SHA-256 differs.")
            with files.new_file(folder / name) as new:
                shutil.copyfile(found[0], new)
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


def _unpack(path: pathlib.Path, folder: pathlib.Path) -> None:
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as packed:
                packed.extractall(folder)
        else:
            with tarfile.open(path) as packed_tar:
                packed_tar.extractall(folder, filter="data")
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise InputError(f"{path.name}: not a whole archive: {error}.") from None
