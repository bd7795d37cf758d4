"""Downloads from a server that does everything wrong: each ends in one line, and writes nothing."""

import functools
import gzip
import hashlib
import http.server
import io
import pathlib
import socket
import struct
import tarfile
import threading
import time
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator

import pytest

from gr_tf.data import download
from gr_tf.errors import InputError

WANTED = b"e0\tr0\te1\n" * 500
Reply = Callable[[http.server.BaseHTTPRequestHandler], None]


def zipped(name: str = "x/train.txt", content: bytes = WANTED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def taped(name: str = "train.txt", content: bytes = WANTED) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def encrypted() -> bytes:
    """A ZIP file whose entry says that it is encrypted, in both places where it says so."""
    content = bytearray(zipped())
    for start, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(start) + place] |= 1
    return bytes(content)


def of_size(size: int) -> bytes:
    """A ZIP file of a thousandth of this size."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(1 << 20)
    packed = b"".join([*(compressor.compress(zeros) for _ in range(size >> 20)), compressor.flush()])
    checksum = functools.reduce(lambda crc, _: zlib.crc32(zeros, crc), range(size >> 20), 0)
    name = b"train.txt"
    told = (20, 0, 8, 0, 0, checksum, len(packed), size, len(name), 0)
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", *told) + name
    central = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, *told, 0, 0, 0, 0, 0) + name
    start = len(local) + len(packed)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(central), start, 0)
    return local + packed + central + end


def sent(content: bytes, length: object = None, status: int = 200) -> Reply:
    """Answers with this content, and its length or what is told instead."""

    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)

    return reply


def redirected(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.end_headers()


def reset(handler: http.server.BaseHTTPRequestHandler, first: bytes = b"") -> None:
    """Ends the connection hard after these bytes."""
    handler.wfile.write(first)
    handler.wfile.flush()
    if first:
        time.sleep(0.2)  # else the reset overtakes them
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.wfile = io.BytesIO()


def told_badly(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 smtp.example.org ready\r\n")


def with_headers(headers: bytes) -> Reply:
    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n" + headers + b"\r\n\r\n" + zipped())

    return reply


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the server's `reply` says."""

    reply: Reply

    def do_GET(self) -> None:
        type(self).reply(self)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetched(address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pathlib.Path]:
    """Downloads an archive with one wanted file from a server that gives the reply."""
    monkeypatch.setenv("GR_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def fetch(reply: Reply, name: str = "x.zip") -> pathlib.Path:
        monkeypatch.setattr(Handler, "reply", staticmethod(reply), raising=False)
        checksums = {"train.txt": hashlib.sha256(WANTED).hexdigest()}
        return download.fetch(download.Archive("toy", f"{address}/{name}", checksums))

    return fetch


BAD = {
    "absent": (sent(b"", status=404), "the server says 404 Not Found"),
    "server error": (sent(b"", status=500), "the server says 500 Internal Server Error"),
    "redirects": (redirected, "the server says 302 The HTTP server returned a redirect error"),
    "reset": (reset, "cannot be downloaded: .*[Cc]onnection"),
    "reset midway": (
        lambda handler: reset(handler, b"HTTP/1.0 200 OK\r\nContent-Length: 9999\r\n\r\nPK"),
        "cannot be downloaded: ",
    ),
    "not HTTP": (told_badly, "cannot be downloaded: .*220 smtp"),
    "cut": (sent(zipped()[:-30], len(zipped())), f"ended after {len(zipped()) - 30} of {len(zipped())} bytes"),
    "cut unseen": (sent(zipped()[:-30]), "not a whole archive: File is not a zip file"),
    "length too large": (sent(zipped(), 10**9), "the connection ended after .* of 1000000000 bytes"),
    "length too small": (sent(zipped(), 50), "not a whole archive: "),
    "empty": (sent(b""), "not a whole archive: "),
    "web page": (sent(b"\n<!DOCTYPE html><p>Please log in."), "gave a web page instead of an archive"),
    "encrypted": (sent(encrypted()), "not a whole archive: .*encrypted"),
    "corrupt": (sent(zipped()[:60] + b"????" + zipped()[64:]), "not a whole archive: "),
    "without the file": (sent(zipped("x/other.txt")), "has no file train.txt"),
    "another file": (sent(zipped(content=b"other")), "train.txt is not the published one"),
    "other format": (sent(taped()), "not a whole archive: "),
}
BAD_TAR = {
    "cut": (sent(taped()[:-30]), "not a whole archive: Compressed file ended before"),
    "corrupt": (sent(taped()[:40] + b"????" + taped()[44:]), "not a whole archive: "),
    "no gzip": (sent(zipped()), "not a whole archive: Not a gzipped file"),
    "no tar": (sent(gzip.compress(b"hello" * 500)), "not a whole archive: "),
}


@pytest.mark.parametrize(
    ("name", "reply", "message"),
    [
        pytest.param(name, *bad, id=f"{name} {what}")
        for name, some in (("x.zip", BAD), ("x.tar.gz", BAD_TAR))
        for what, bad in some.items()
    ],
)
def test_one_line_and_nothing_written(
    fetched: Callable[..., pathlib.Path], tmp_path: pathlib.Path, name: str, reply: Reply, message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        fetched(reply, name)
    told = str(refused.value)
    assert "/" + name in told
    assert len(told.splitlines()) == 1
    assert len(told) < 400
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [b"many", b"-5", b"", b"1e3", "\u0663".encode(), b"9" * 5000])
def test_a_length_that_is_none_is_not_looked_at(fetched: Callable[..., pathlib.Path], length: bytes) -> None:
    assert (fetched(with_headers(b"Content-Length: " + length)) / "train.txt").read_bytes() == WANTED


def test_a_tape_archive(fetched: Callable[..., pathlib.Path]) -> None:
    assert (fetched(sent(taped()), "x.tar.gz") / "train.txt").read_bytes() == WANTED


@pytest.mark.parametrize("path", ["../../../train.txt", "/tmp/gr_tf_outside/train.txt", "a/../../train.txt"])
def test_paths_outside_are_only_names(fetched: Callable[..., pathlib.Path], tmp_path: pathlib.Path, path: str) -> None:
    folder = fetched(sent(zipped(path)))
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [folder / "train.txt"]
    (folder / "train.txt").unlink()
    fetched(sent(taped(path)), "x.tar.gz")
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [folder / "train.txt"]


def test_bombs(fetched: Callable[..., pathlib.Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_MOST_BYTES", 1 << 20)
    with pytest.raises(InputError, match=r"train.txt is larger than 1 MB: not the published one"):
        fetched(sent(of_size(3 << 20)))
    with pytest.raises(InputError, match="what is in it is larger than 1 MB: not the published one"):
        fetched(sent(taped(content=bytes(3 << 20))), "x.tar.gz")
    with pytest.raises(InputError, match=r"x.zip: larger than 1 MB: not the published one"):
        fetched(sent(bytes(3 << 20)))


def test_the_cache_is_checked(fetched: Callable[..., pathlib.Path]) -> None:
    folder = fetched(sent(zipped()))
    assert fetched(sent(b"")) == folder  # is not asked again
    for damaged in (WANTED[:-1], WANTED[:-3] + b"9\n", b""):
        (folder / "train.txt").write_bytes(damaged)
        with pytest.raises(InputError, match=rf"train.txt: damaged: .*Delete the folder {folder}, and it is"):
            fetched(sent(zipped()))
    (folder / "train.txt").unlink()
    assert (fetched(sent(zipped())) / "train.txt").read_bytes() == WANTED


def test_no_answer(fetched: Callable[..., pathlib.Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing, and a name that takes long to find, whatever the socket's own limits are."""
    monkeypatch.setattr(download, "_SECONDS_TO_ANSWER", 0.2)
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"no answer within 0.2 seconds\. Name a folder .* data_dir"):
        fetched(lambda _: time.sleep(1))
    assert time.monotonic() - begun < 0.9
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: time.sleep(1))
    with pytest.raises(InputError, match=r"no answer within 0.2 seconds"):
        fetched(sent(b""))


def test_no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    def no_home() -> pathlib.Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", no_home)
    monkeypatch.delenv("GR_TF_CACHE", raising=False)
    with pytest.raises(InputError, match=r"no home folder to keep downloads in: name a folder with .* GR_TF_CACHE"):
        download.cache_folder()
    monkeypatch.setenv("GR_TF_CACHE", str(tmp_path))
    assert download.cache_folder() == tmp_path
