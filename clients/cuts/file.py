"""The file under test: how it comes about, what it is as a whole, where its rows end. Never used by what it judges."""

import csv
import io
import itertools
import time
import zlib
from pathlib import Path

import requests
import zstandard

from .reader import Source
from .server import CutServer

CODINGS = ("identity", "gzip", "zstd")
# A batch has its results, or its segment, within these seconds.
PATIENCE = 120
HEADER = "authorizer_unique_id,first_name,last_name,phone_number,ssn,account_number,routing_number,meta_ref"
# The sandbox bank answers for this account after 20 seconds, counted anew from every start of the server.
SLOW = "44179012"


def submitted(server: CutServer, folder: Path, rows: int, *, slow: int = 0) -> str:
    """A batch with so many results, and so many checks that still wait for theirs; the path of its export."""
    accounts = enumerate(["BAL12.34"] * rows + [SLOW] * slow)
    people = (f"loan-{no},Ana,Silva,5125550144,000123458,{account},026009593,R{no}" for no, account in accounts)
    path = folder / "people.csv"
    path.write_text("\n".join([HEADER, *people]), encoding="utf-8")
    with session_of(server.source("")) as session, path.open("rb") as file:
        answer = session.post(f"{server.url}/v1/balance_requests/csv", files={"file": file}, timeout=60)
        answer.raise_for_status()
        batch = answer.json()
        assert not batch["failed_authorizers"], batch["failed_authorizers"]
        status = f"{server.url}/v1/balance_requests/{batch['batch_id']}"
        deadline = time.monotonic() + PATIENCE
        while session.get(status, timeout=60).json()["total_processed"] < rows:
            assert time.monotonic() < deadline, "the batch does not complete"
            time.sleep(0.1)
    return f"/v1/balances/csv?batch_ids={batch['batch_id']}"


def session_of(source: Source) -> requests.Session:
    session = requests.Session()
    session.headers.update(source.headers())
    session.verify = str(source.ca)
    return session


class File:
    """An export as it is when nothing breaks."""

    def __init__(self, source: Source, *, sealed: bool):
        # Whether its length is known beforehand. Where it is not, it is sent in one coding only here.
        self.sealed = sealed
        self.sent = {}
        for coding in CODINGS if sealed else CODINGS[:1]:
            self.sent[coding] = download(source.coded(coding), sealed=sealed)
        self.whole = self.sent["identity"]
        for coding, sent in self.sent.items():
            assert decoded(coding, sent) == self.whole

    def row_ends(self) -> list[int]:
        """Where the header and each row end; the last of them is the end of the file."""
        lines = self.whole.splitlines(keepends=True)
        # No cell has a line break.
        assert len(list(csv.reader(io.StringIO(self.whole.decode(), newline=""), strict=True))) == len(lines)
        return list(itertools.accumulate(map(len, lines)))

    def frame_ends(self) -> list[int]:
        """Where the frames of its zstd end: nothing and each of them are a stream that is whole by itself."""
        sent = self.sent["zstd"]
        ends = [0]
        while ends[-1] < len(sent):
            frame = zstandard.ZstdDecompressor().decompressobj()
            frame.decompress(sent[ends[-1] :])
            assert frame.eof
            ends.append(len(sent) - len(frame.unused_data))
        return ends

    def part(self, coding: str, before: int) -> bytes:
        """What nobody can have more of from the first `before` bytes as sent."""
        return decoded(coding, self.sent[coding][:before])


def download(source: Source, *, sealed: bool) -> bytes:
    """The body as it is sent. Of a sealed batch only once it is, which its length tells."""
    deadline = time.monotonic() + PATIENCE
    while (length := length_told(source)) is None and sealed:
        assert time.monotonic() < deadline, "the batch is not sealed"
        time.sleep(0.05)
    with session_of(source) as session, session.get(source.url + source.path, stream=True, timeout=60) as answer:
        answer.raise_for_status()
        assert answer.headers.get("Content-Encoding", "identity") == source.coding
        body = answer.raw.read(decode_content=False)
    assert length == (len(body) if sealed else None)
    return body


def length_told(source: Source) -> int | None:
    with session_of(source) as session:
        answer = session.head(source.url + source.path, timeout=60)
        answer.raise_for_status()
        length = answer.headers.get("Tidemark-Content-Length")
    return None if length is None else int(length)


def decoded(coding: str, sent: bytes) -> bytes:
    """As far as it can be decoded."""
    if coding == "gzip":
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return inflate.decompress(sent) + inflate.flush()
    if coding == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(sent, read_across_frames=True).read()
    return sent
