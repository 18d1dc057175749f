"""How an export's cost grows: with its rows, with its batches, with those who download at once, and with one who
reads slowly. On SQLite, but for the pages."""

import json
import statistics
import subprocess
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from . import machine, report, tidemark
from .bench import Bench
from .export_contenders import export_path, get
from .export_data import fill, start_and_seal
from .load import Target
from .paths import LOAD
from .processes import cpu_seconds
from .sampling import Peak, anonymous_kib, rest

TITLE = "Exports: how cost grows"
SIZES = (10_000, 100_000, 1_000_000)
TEN_MILLION = 10_000_000
# Rows of the series of batches, and how many batches they are cut into.
CUT_ROWS = 100_000
CUTS = (20, 100, 1_000, 10_000)
CLIENTS = (1, 4, 16, 64)
CLIENT_SECONDS = 8
CLIENT_ROWS = 100_000
SLOW_RATE, SLOW_SECONDS = 1_000, 20
# Longer lists of batches are sent in a body, which a URL has no room for.
URL_BATCHES = 1_000
CODINGS = ("identity", "zstd")


def ask(bench: Bench, target: Target, ids: list[str], coding: str, **more: str) -> dict[str, Any]:
    """Runs `load get` for any number of batches."""
    if len(ids) <= URL_BATCHES:
        return get(target, export_path(ids), coding, **more)
    file = bench.folder / "batch-ids"
    file.write_text("\n".join(ids))
    return get(target, "/v1/balances/csv", coding, post_ids=str(file), **more)


class Growth:
    """A server at rest, and what downloads from it cost."""

    def __init__(self, bench: Bench, server: tidemark.Tidemark, rounds: int):
        self.bench, self.server, self.rounds = bench, server, rounds
        self.idle_kib = anonymous_kib(server.pid)

    def _peak(self, download: Callable[[], dict[str, Any]], idle_kib: int | None = None) -> tuple[dict[str, Any], float]:
        pids = [self.server.pid]
        with Peak(lambda: pids) as peak:
            got = download()
        return got, peak.above(self.idle_kib if idle_kib is None else idle_kib)

    def row(self, what: str, ids: list[str], coding: str) -> list[str]:
        """One line of a table: medians of the rounds, of which each has as many downloads as a second holds."""
        rates, first, cpu, peaks = [], [], [], []
        rows = size = 0
        for _ in range(self.rounds):
            used = cpu_seconds(self.server.pid)
            got, peak = self._peak(lambda: ask(self.bench, self.server.target(), ids, coding, seconds="1"))
            ones = got["requests"]
            rows, size = ones[0]["rows"], ones[0]["bytes"]
            rates.append(rows / statistics.mean(one["seconds"] for one in ones))
            first.append(statistics.mean(one["first_byte"] for one in ones) * 1e3)
            cpu.append((cpu_seconds(self.server.pid) - used) / len(ones))
            peaks.append(peak)
        self.bench.say(f"{what}, {coding}: {statistics.median(rates):,.0f} rows/s")
        first_byte, peak_mib = (report.number(statistics.median(values)) for values in (first, peaks))
        cpu_each = f"{statistics.median(cpu):.3f}"
        return [what, coding, f"{rows:,}", f"{size:,}", report.spread(rates), first_byte, cpu_each, peak_mib]

    def clients(self, ids: list[str], clients: int, coding: str) -> list[str]:
        """One line: many at once, each downloading the same again and again."""
        used = cpu_seconds(self.server.pid)
        flags = {"clients": str(clients), "seconds": str(CLIENT_SECONDS)}
        got, peak = self._peak(lambda: ask(self.bench, self.server.target(), ids, coding, **flags))
        cores = (cpu_seconds(self.server.pid) - used) / got["seconds"]
        seconds = sorted(one["seconds"] for one in got["requests"])
        rate = got["rows"] / got["seconds"]
        self.bench.say(f"{clients} clients, {coding}: {rate:,.0f} rows/s")
        rest()
        numbers = (rate, len(seconds), statistics.median(seconds), seconds[-1], cores, peak, peak / clients)
        return [str(clients), coding, *map(report.number, numbers)]

    def slow(self, ids: list[str], coding: str) -> list[str]:
        rest()
        idle = anonymous_kib(self.server.pid)
        flags = {"slow": str(SLOW_RATE), "seconds": str(SLOW_SECONDS)}
        got, peak = self._peak(lambda: ask(self.bench, self.server.target(), ids, coding, **flags), idle)
        if got["requests"][0]["whole"]:
            raise RuntimeError("the slow client got everything: it was not slow")
        return [coding, report.number(idle / 1024), report.number(peak)]


def _pages(databases: list[Any]) -> list[list[str]]:
    rows = []
    for database in databases:
        target = database.server.target()
        command = [
            str(LOAD), "page", "--url", target.url, "--ca", str(target.ca), "--key", target.key,
            "--batch", database.sets.all_finished[0],
        ]  # fmt: skip
        got = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        for which in ("first", "last"):
            name = f"{which} of {got['pages']}"
            rows.append([database.name, name, *(f"{got[which][one]:.2f}" for one in ("p50_ms", "p99_ms", "max_ms"))])
    return rows


def _cuts(bench: Bench, total: int, rounds: int) -> list[list[str]]:
    """The same number of rows in fewer and in more batches."""
    server = tidemark.on_sqlite(bench, "export-cuts", metrics=True)
    server.stop()
    sets = []
    for seed, batches in enumerate(CUTS, 10):
        if batches <= total and total // batches <= 5_000:
            sets.append(fill(server, batches=batches, rows=total // batches, seed=seed).finished)
    start_and_seal(server)
    rest()
    growth = Growth(bench, server, rounds)
    rows = [growth.row(f"{len(ids):,}", ids, coding) for ids in sets for coding in CODINGS]
    server.stop()
    return rows


def _ten_million(bench: Bench, rows: int, rounds: int) -> list[list[str]]:
    server = tidemark.on_sqlite(bench, "export-ten-million", metrics=True)
    server.stop()
    ids = fill(server, batches=TEN_MILLION // rows, rows=rows, seed=20).finished
    sealing = start_and_seal(server)
    bench.say(f"ten million results sealed in {sealing:.0f} s")
    rest()
    growth = Growth(bench, server, rounds)
    lines = [growth.row(f"{TEN_MILLION:,}", ids, coding) for coding in CODINGS]
    server.stop()
    return lines


HEAD = (
    "coding", "rows", "bytes sent", "rows/s (min–max)", "first byte ms", "server, CPU s", "memory above idle, MiB",
)  # fmt: skip


def run(bench: Bench, options: Namespace, databases: list[Any]) -> None:
    """`databases` are those of the export scenario, at rest or nearly so."""
    about = machine.describe()
    rest()
    sqlite = databases[0]
    ids, rows = sqlite.sets.all_finished, options.rows
    growth = Growth(bench, sqlite.server, options.rounds)
    few = ids[: max(1, CLIENT_ROWS // rows)]
    slow = [growth.slow(ids, coding) for coding in CODINGS]
    sizes = [size for size in SIZES if size <= len(ids) * rows and size >= rows]
    by_rows = [growth.row(f"{size:,}", ids[: size // rows], coding) for size in sizes for coding in CODINGS]
    at_once = [growth.clients(few, clients, coding) for coding in CODINGS for clients in CLIENTS]
    pages = _pages(databases)
    total = min(CUT_ROWS, len(ids) * rows)
    by_batches = _cuts(bench, total, options.rounds)
    if options.ten_million:
        by_rows += _ten_million(bench, rows, options.rounds)
    parts = [
        f"Tidemark on SQLite; {options.rounds} rounds, medians. Memory is RssAnon of the server, the most that was seen, "
        "above what it was before.\n",
        "### Rows\n", report.table(("asked for", *HEAD), by_rows, left=2),
        f"### Batches: {total:,} rows in\n", report.table(("batches", *HEAD), by_batches, left=2),
        f"### Clients at once, each with {len(few) * rows:,} rows again and again for {CLIENT_SECONDS} s\n",
        report.table(
            ("clients", "coding", "rows/s, all together", "downloads", "median s", "longest s", "server, cores",
             "memory above idle, MiB", "for each client"), at_once, left=2,
        ),
        f"### One client that reads {SLOW_RATE:,} bytes a second, for {SLOW_SECONDS} s\n",
        report.table(("coding", "idle, MiB", "above it, MiB"), slow),
        f"### Pages of 100 results of a batch of {rows:,}\n",
        report.table(("database", "page", "p50 ms", "p99 ms", "max ms"), pages, left=2),
    ]  # fmt: skip
    report.write("export_growth", TITLE, report.section(bench.command, about, *parts))
