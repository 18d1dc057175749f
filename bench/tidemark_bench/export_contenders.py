"""Who is measured by the export scenario, and how one download of each is made."""

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from . import export_tables, rival
from .bench import Bench
from .export_check import must_be_same_cells, must_be_same_lines
from .export_tables import Source
from .load import Target
from .paths import LOAD
from .processes import Started
from .sampling import Download, Watched, anonymous_kib, children

CODINGS = ("identity", "gzip", "zstd")
ALL_FINISHED = "all finished"
COPY = "PostgreSQL COPY"


@dataclass
class Contender:
    """Who downloads what."""

    name: str
    # Which rows: `ALL_FINISHED`, or another set.
    case: str
    coding: str
    watched: Watched
    download: Callable[[], Download]
    # Where the download itself cannot tell: seconds to the first byte, by a run of its own.
    first_byte: Callable[[], float] | None = None
    rounds: list[Download] = field(default_factory=list)

    def measure(self) -> Download:
        first_byte = self.first_byte() if self.first_byte else None
        figures = self.watched.measure(self.download)
        if first_byte is not None:
            figures.first_byte = first_byte
        self.rounds.append(figures)
        return figures


def get(target: Target, path: str, coding: str = "identity", **more: str) -> dict[str, Any]:
    """Runs `load get`. `more` holds further flags of it."""
    flags = {
        "url": target.url, "ca": str(target.ca), "key": target.key, "path": path, "accept-encoding": coding,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }  # fmt: skip
    command = [str(LOAD), "get", *(part for name, value in flags.items() for part in (f"--{name}", value))]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def export_path(ids: list[str]) -> str:
    return "/v1/balances/csv?" + "&".join(f"batch_ids={one}" for one in ids)


def over_https(target: Target, path: str, coding: str, size: int, rows: int) -> Callable[[], Download]:
    """Downloads of a body of known rows and, decoded, of known size: one, and more until a second is over."""

    def download() -> Download:
        ones = get(target, path, coding, seconds="1")["requests"]
        if any(one["rows"] != rows for one in ones):
            raise RuntimeError(f"{path[:60]}…: other numbers of rows than {rows}")
        seconds, first_byte = (statistics.mean(one[name] for one in ones) for name in ("seconds", "first_byte"))
        return Download(rows, seconds, first_byte, size, ones[0]["bytes"], len(ones))

    return download


def first_byte_of(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Seconds until a program says anything."""
    begun = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        seconds = time.monotonic() - begun
        process.kill()
    # A server that it talked to finds out, and ends its session.
    time.sleep(0.5)
    return seconds


def static(
    bench: Bench, coding: str, file: Path, rows: int, size: int, cert: tuple[Path, Path]
) -> Contender:
    """A coded body of known rows and, decoded, of known size, from memory over the product's stack: `load static`."""
    command = [
        str(LOAD), "static", "--file", str(file), "--rows", str(rows),
        "--tls-cert", str(cert[0]), "--tls-key", str(cert[1]),
    ]  # fmt: skip
    server = Started(command, bench.folder / f"static-{coding}.log")
    bench.stack.callback(server.stop)
    url = json.loads(server.wait_for("listening"))["listening"]
    watched = Watched(server=server.pid, memory=lambda: [server.pid], idle_kib=anonymous_kib(server.pid))
    download = over_https(Target(url, cert[0], "none"), "/", coding, size, rows)
    return Contender(f"static body, {coding}", ALL_FINISHED, coding, watched, download)


def copy(bench: Bench, database: str, source: Source, rows: int) -> tuple[Contender, str]:
    """PostgreSQL's own COPY through psql, and how its output was compared."""
    postgres = bench.postgres
    command, environment = postgres.client(export_tables.postgres_copy(source), database)
    file = bench.folder / "copy.csv"
    with file.open("wb") as to:
        subprocess.run(command, env=environment, stdout=to, check=True)
    same, size = must_be_same_lines("COPY", source.file, file), file.stat().st_size
    file.unlink()

    def download() -> Download:
        begun = time.monotonic()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        return Download(rows, time.monotonic() - begun, None, size, size)

    def pids() -> list[int]:
        return children(postgres.server.pid)

    idle = sum(map(anonymous_kib, pids()))
    watched = Watched(database=postgres.server.pid, memory=pids, idle_kib=idle)
    first_byte = partial(first_byte_of, command, environment)
    return Contender(COPY, ALL_FINISHED, "identity", watched, download, first_byte), same


def sqlite_shell(bench: Bench, shell: str, source: Source, rows: int) -> tuple[Contender, str]:
    """The sqlite3 shell on the same tables, and how its output was compared."""
    database, file = bench.folder / "plain.db", bench.folder / "shell.csv"
    export_tables.into_sqlite(shell, database, source)
    command = [shell, "-readonly", "-csv", "-header", "-newline", "\n", str(database), export_tables.sqlite_rows(source)]
    with file.open("wb") as to:
        subprocess.run(command, stdout=to, check=True)
    same, size = must_be_same_cells("sqlite3", source.file, file), file.stat().st_size
    file.unlink()
    running: list[int] = []

    def download() -> Download:
        begun = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            running[:] = [process.pid]
        seconds = time.monotonic() - begun
        if process.returncode != 0:
            raise RuntimeError(f"{shell} ended with {process.returncode}")
        return Download(rows, seconds, None, size, size)

    watched = Watched(memory=lambda: running, child_is_server=True)
    first_byte = partial(first_byte_of, command)
    return Contender("sqlite3 shell", ALL_FINISHED, "identity", watched, download, first_byte), same


def fastapi(
    bench: Bench, database: str, key: str, source: Source, ids: list[str], rows: int, cert: tuple[Path, Path]
) -> tuple[Contender, str]:
    """FastAPI with asyncpg, and how its output was compared."""
    server = rival.Exports(bench, "rival-exports", bench.postgres.url(database), key, cert)
    idle, file, path = anonymous_kib(server.pid), bench.folder / "fastapi.csv", export_path(ids)
    get(server.target(), path, save=str(file))
    same, size = must_be_same_lines("FastAPI", source.file, file), file.stat().st_size
    file.unlink()
    watched = Watched(
        server=server.pid, database=bench.postgres.server.pid, memory=lambda: [server.pid], idle_kib=idle
    )
    download = over_https(server.target(), path, "identity", size, rows)
    return Contender("FastAPI and asyncpg", ALL_FINISHED, "identity", watched, download), same
