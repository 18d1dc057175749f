"""curl: one process for all downloads."""

import subprocess
from functools import cache
from pathlib import Path

from running import environment

from .reader import Download, Reader, Source

# A part of a file, no answer, a failed receipt, an error of a stream of HTTP/2.
CUT = (18, 52, 56, 92)


@cache
def features() -> list[str]:
    version = subprocess.run(["curl", "--version"], check=True, capture_output=True, text=True).stdout
    return next(line for line in version.splitlines() if line.startswith("Features:")).split()


class Curl(Reader):
    codings = ("identity", "gzip", "zstd")

    def __init__(self, version: str):
        self.name = f"curl-http{version}"
        self.over_http2 = version == "2"
        self._version = version

    def lacks(self, coding: str) -> str | None:
        if coding == "zstd" and "zstd" not in features():
            return f"curl was built without zstd: {features()}"
        return None

    def read(self, source: Source, count: int, folder: Path) -> list[Download]:
        files = [folder / f"{self.name}-{number}" for number in range(count)]
        config = folder / f"{self.name}.config"
        config.write_text("".join(f'url = "{source.url}{source.path}"\noutput = "{file}"\n' for file in files))
        protocol = "--http2" if self.over_http2 else "--http1.1"
        command = ["curl", "--silent", protocol, "--cacert", source.ca, "--max-time", "60", "--config", config]
        command += ["--header", f"Authorization: Bearer {source.key}"]
        # It decodes what it asked for; the header leaves the server no choice.
        command += ["--compressed"] if source.coding != "identity" else []
        command += ["--header", f"Accept-Encoding: {source.coding}"]
        command += ["--write-out", "%{exitcode} %{size_download} %{http_code} %{http_version}\\n"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        assert len(lines) == count, done.stderr
        return [self._download(line, file) for line, file in zip(lines, files, strict=True)]

    def _download(self, line: str, file: Path) -> Download:
        code, carried, status, version = line.split()
        assert int(code) == 0 or int(code) in CUT, f"curl exited with {code}"
        # A connection that broke before the answer has neither.
        assert (status, version) in (("200", self._version), ("000", "0")), line
        got = file.read_bytes() if file.exists() else b""
        file.unlink(missing_ok=True)
        return Download(got, None if code == "0" else f"curl exited with {code}", int(carried))


CURL = (Curl("1.1"), Curl("2"))
