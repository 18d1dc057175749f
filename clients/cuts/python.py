"""Clients in Python, in this process."""

import http.client
import io
import shutil
import ssl
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

import h2.exceptions
import httpx
import requests

from .reader import Download, Reader, Source


def told(source: Source, answer: requests.Response | httpx.Response) -> None:
    """Fails where the answer is not the file."""
    answer.raise_for_status()
    assert answer.headers.get("Content-Encoding", "identity") == source.coding


class Requests(Reader):
    name = "requests"
    codings = ("identity", "gzip")

    def read(self, source: Source, count: int, folder: Path) -> list[Download]:
        with requests.Session() as session:
            session.headers.update(source.headers())
            session.verify = str(source.ca)
            return [self._download(session, source) for _ in range(count)]

    def _download(self, session: requests.Session, source: Source) -> Download:
        got = bytearray()
        try:
            with session.get(source.url + source.path, stream=True, timeout=60) as answer:
                told(source, answer)
                for chunk in answer.iter_content(8_192):
                    got += chunk
        # While the body came, or before its beginning.
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError) as error:
            return Download(bytes(got), repr(error))
        return Download(bytes(got), None)


HTTPX_ERRORS = (
    # While the body came, or before its beginning.
    httpx.RemoteProtocolError,
    httpx.ReadError,
    # Less came over HTTP/2 than the length that was told: before the body begins, and later.
    httpx.LocalProtocolError,
    h2.exceptions.ProtocolError,
    # What was compressed has no end.
    httpx.DecodingError,
)


class Httpx(Reader):
    codings = ("identity", "gzip", "zstd")
    checks_frames = True

    def __init__(self, version: str):
        self.name = f"httpx-http{version}"
        self.over_http2 = version == "2"
        self._version = version

    def read(self, source: Source, count: int, folder: Path) -> list[Download]:
        trust = ssl.create_default_context(cafile=str(source.ca))
        only = {"http1": not self.over_http2, "http2": self.over_http2}
        with httpx.Client(verify=trust, headers=source.headers(), timeout=60, **only) as client:
            return [self._download(client, source) for _ in range(count)]

    def _download(self, client: httpx.Client, source: Source) -> Download:
        got = bytearray()
        try:
            with client.stream("GET", source.url + source.path) as answer:
                told(source, answer)
                assert answer.http_version == f"HTTP/{self._version}"
                for chunk in answer.iter_bytes():
                    got += chunk
        except HTTPX_ERRORS as error:
            return Download(bytes(got), repr(error))
        return Download(bytes(got), None)


class Urllib(Reader):
    def __init__(self, way: str, pieces: Callable[[http.client.HTTPResponse], Iterable[bytes]]):
        self.name = f"urllib-{way}"
        self._pieces = pieces

    def read(self, source: Source, count: int, folder: Path) -> list[Download]:
        trust = ssl.create_default_context(cafile=str(source.ca))
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust))
        return [self._download(opener, source) for _ in range(count)]

    def _download(self, opener: urllib.request.OpenerDirector, source: Source) -> Download:
        got = bytearray()
        request = urllib.request.Request(source.url + source.path, headers=source.headers())
        try:
            with opener.open(request, timeout=60) as answer:
                for piece in self._pieces(answer):
                    got += piece
        except http.client.IncompleteRead as error:
            return Download(bytes(got + error.partial), repr(error))
        # Before the beginning of the answer, or where the server's end was a reset.
        except ConnectionResetError as error:
            return Download(bytes(got), repr(error))
        return Download(bytes(got), None)


def at_once(answer: http.client.HTTPResponse) -> Iterable[bytes]:
    yield answer.read()


def copied(answer: http.client.HTTPResponse) -> Iterable[bytes]:
    file = io.BytesIO()
    try:
        shutil.copyfileobj(answer, file)
    finally:
        yield file.getvalue()


def as_text(answer: http.client.HTTPResponse) -> Iterable[bytes]:
    with io.TextIOWrapper(answer, encoding="utf-8", newline="") as lines:
        for line in lines:
            yield line.encode()


def by_lines(answer: http.client.HTTPResponse) -> Iterable[bytes]:
    rows = -1
    for line in answer:
        rows += 1
        yield line
    if rows < int(answer.headers["Tidemark-Row-Count"]):
        raise http.client.IncompleteRead(b"")


PYTHON = (
    Requests(),
    Httpx("1.1"),
    Httpx("2"),
    Urllib("read", at_once),
    Urllib("copyfileobj", copied),
    Urllib("text", as_text),
)
# A loop over the lines of http.client hears of no cut, neither of chunks nor of a length, whatever a server does
# (https://github.com/python/cpython/issues/115997). So this one counts its rows, as everybody must who reads like this.
LINES = Urllib("lines", by_lines)
