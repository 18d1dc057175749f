"""Node, one process for all downloads: what it does is in read.mjs."""

import json
import subprocess
from pathlib import Path

from running import environment

from .reader import Download, Reader, Source

SCRIPT = Path(__file__).with_name("read.mjs")


class Node(Reader):
    keeps_all = False

    def __init__(self, task: str, errors: tuple[str, ...], codings: tuple[str, ...], *, over_http2: bool):
        self.name = f"node-{task}"
        self.codings = codings
        self.over_http2 = over_http2
        self._task = task
        # What it says of a download that was cut.
        self._errors = errors

    def read(self, source: Source, count: int, folder: Path) -> list[Download]:
        files = [folder / f"{self.name}-{number}" for number in range(count)]
        order = {
            "task": self._task,
            "url": source.url,
            "path": source.path,
            "coding": source.coding,
            "key": source.key,
            "files": [str(file) for file in files],
        }
        own = environment(NODE_EXTRA_CA_CERTS=str(source.ca))
        done = subprocess.run(
            ["node", SCRIPT], input=json.dumps(order), env=own, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{done.returncode} {done.stderr}"
        told = [json.loads(line) for line in done.stdout.splitlines()]
        return [self._download(one, file) for one, file in zip(told, files, strict=True)]

    def _download(self, told: dict, file: Path) -> Download:
        error = told["error"]
        assert error is None or error in self._errors, error
        got = file.read_bytes() if file.exists() else b""
        file.unlink(missing_ok=True)
        return Download(got, error)


FETCH_ERRORS = ("TypeError: terminated", "TypeError: fetch failed")
HTTP2_ERRORS = ("ERR_HTTP2_STREAM_ERROR", "ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "Error: not ended")

NODE = (
    Node("fetch", FETCH_ERRORS, ("identity", "gzip"), over_http2=False),
    Node("http2", HTTP2_ERRORS, ("identity",), over_http2=True),
    Node("http2-events", HTTP2_ERRORS, ("identity",), over_http2=True),
)
