"""What every reader does: download the same file again and again, and tell how each download ended."""

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """What to download, and how to ask for it."""

    url: str
    ca: Path
    key: str
    path: str
    coding: str = "identity"

    def coded(self, coding: str) -> "Source":
        return replace(self, coding=coding)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Accept-Encoding": self.coding}


@dataclass
class Download:
    """What a reader got, decoded, and the error by which it told that this is not all; `None`: it took it for all."""

    got: bytes
    error: str | None
    # Bytes of the body as sent, where the reader tells.
    carried: int | None = None


class Reader:
    """A client that reads the file in its own way and adds nothing to it."""

    name: str
    # What it is asked to read.
    codings: tuple[str, ...] = ("identity",)
    over_http2 = False
    # Whether it takes the middle of a frame of zstd for no end.
    checks_frames = False
    # Whether it hands on what came before an error, or drops what it has not handed on yet.
    keeps_all = True

    def lacks(self, coding: str) -> str | None:
        """Why it cannot read one of its codings on this machine."""
        return None

    def read(self, source: Source, count: int, folder: Path) -> list[Download]:
        """So many downloads one after another, over the same connection where the client keeps one."""
        raise NotImplementedError
