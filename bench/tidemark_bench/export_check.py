"""Whether what was downloaded is what it must be. Whoever is measured is checked once, on the same rows."""

import csv
import gzip
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

PIECE = 1 << 20


def _pieces(file: Path, coding: str) -> Iterator[bytes]:
    """A body, decoded by others' decoders."""
    if coding == "zstd":
        with subprocess.Popen(["zstd", "-dcq", str(file)], stdout=subprocess.PIPE) as decoder:
            assert decoder.stdout is not None
            while piece := decoder.stdout.read(PIECE):
                yield piece
        if decoder.returncode != 0:
            raise RuntimeError(f"{file} is not whole: zstd ended with {decoder.returncode}")
    else:
        with gzip.open(file) if coding == "gzip" else file.open("rb") as stream:
            while piece := stream.read(PIECE):
                yield piece


def digest(file: Path, coding: str = "identity") -> str:
    """SHA-256 of a decoded body."""
    sha = hashlib.sha256()
    for piece in _pieces(file, coding):
        sha.update(piece)
    return sha.hexdigest()


def must_be_same(name: str, file: Path, coding: str, wanted: str) -> None:
    """`wanted` is a digest."""
    if digest(file, coding) != wanted:
        raise RuntimeError(f"{name}, {coding}: other bytes than the first export of the same rows")


def must_be_same_lines(name: str, wanted: Path, file: Path) -> str:
    """The same lines, or it raises; whether in the same order too, in words."""
    if digest(wanted) == digest(file):
        return "byte for byte"
    with wanted.open("rb") as first, file.open("rb") as second:
        if sorted(first) != sorted(second):
            raise RuntimeError(f"{name}: other lines than Tidemark's export of the same rows")
    return "byte for byte once its lines are sorted"


def must_be_same_cells(name: str, wanted: Path, file: Path) -> str:
    """The same records after parsing, in any order, for whoever quotes in another way."""
    with wanted.open(encoding="utf-8", newline="") as first, file.open(encoding="utf-8", newline="") as second:
        if sorted(csv.reader(first)) != sorted(csv.reader(second)):
            raise RuntimeError(f"{name}: other cells than Tidemark's export of the same rows")
    return "cell for cell (it puts more cells in quotes, and has no order)"
