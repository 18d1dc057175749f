"""Exports that break where a test says, and readers of them: what test_cuts.py is made of."""

from .curl import CURL
from .file import File, length_told, submitted
from .node import NODE
from .python import LINES, PYTHON
from .reader import Download, Reader, Source
from .server import CutServer

READERS: tuple[Reader, ...] = (*CURL, *PYTHON, *NODE)

__all__ = ["LINES", "READERS", "CutServer", "Download", "File", "Reader", "Source", "length_told", "submitted"]
