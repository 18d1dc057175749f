"""Exports: rows a second of one CSV file for any set of batches, against PostgreSQL's COPY and others, and against
what the same bytes cost from memory."""

import shutil
import subprocess
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from . import chart, export_growth, export_tables, machine, report, rival, tidemark
from .bench import Bench
from .export_check import digest, must_be_same
from .export_contenders import (
    ALL_FINISHED, CODINGS, Contender, copy, export_path, fastapi, get, over_https, sqlite_shell, static,
)  # fmt: skip
from .export_data import Sets, make
from .export_report import summary
from .sampling import Watched, anonymous_kib, rest

TITLE = "Exports"
ROUNDS = 5
BATCHES = 200
ROWS = 5_000

# Which batches, and in which codings they are asked for.
CASES = {
    ALL_FINISHED: ("all_finished", CODINGS),
    "1 % unfinished": ("one_per_cent_unfinished", ("identity", "zstd")),
    "differing keys": ("differing_keys", ("identity", "zstd")),
    "all unfinished": ("all_unfinished", ("identity",)),
}


@dataclass
class Database:
    """One database with its server and its data."""

    name: str
    server: tidemark.Tidemark
    sets: Sets
    watched: Watched


@dataclass
class Saved:
    """The first export of some rows, which all others are held against."""

    # As it was coded, by coding.
    files: dict[str, Path]
    rows: int
    # Of the decoded bytes.
    size: int
    digest: str


def _start(bench: Bench, options: Namespace) -> list[Database]:
    databases = []
    for name, start in (("SQLite", tidemark.on_sqlite), ("PostgreSQL", tidemark.on_postgres)):
        server = start(bench, f"export-{name.lower()}", metrics=True)
        sets = make(bench, server, options.batches, options.rows)
        rest()
        pid = server.pid
        watched = Watched(server=pid, memory=lambda pid=pid: [pid], idle_kib=anonymous_kib(pid))
        if name == "PostgreSQL":
            watched.database = bench.postgres.server.pid
        databases.append(Database(name, server, sets, watched))
    return databases


def _save(bench: Bench, databases: list[Database]) -> dict[str, Saved]:
    """Downloads every case once in every coding from every database, and compares."""
    saved: dict[str, Saved] = {}
    for database in databases:
        for case, (name, codings) in CASES.items():
            path = export_path(getattr(database.sets, name))
            for coding in codings:
                file = bench.folder / f"{name}.{coding}.{database.name}"
                got = get(database.server.target(), path, coding, save=str(file))
                if coding == "identity" and case not in saved:
                    saved[case] = Saved({}, got["rows"], file.stat().st_size, digest(file))
                else:
                    must_be_same(f"{database.name}, {case}", file, coding, saved[case].digest)
                if database is databases[0] and case == ALL_FINISHED:
                    saved[case].files[coding] = file
                else:
                    file.unlink()
        bench.say(f"{database.name}: every download decodes to the same bytes")
    return saved


def _ours(databases: list[Database], saved: dict[str, Saved]) -> list[Contender]:
    contenders = []
    for case, (name, codings) in CASES.items():
        for database in databases:
            path, one = export_path(getattr(database.sets, name)), saved[case]
            for coding in codings:
                download = over_https(database.server.target(), path, coding, one.size, one.rows)
                contender = Contender(f"Tidemark, {database.name}, {coding}", case, coding, database.watched, download)
                contenders.append(contender)
    return contenders


def _rivals(bench: Bench, first: Database, saved: Saved) -> tuple[list[Contender], list[str]]:
    """Everybody else, and how each one's output was compared."""
    source = export_tables.Source.of(saved.files["identity"])
    key, cert = rival.new_key(), (first.server.ca, first.server.ca.with_name("key.pem"))
    bench.say("Filling the rivals' tables …")
    bench.postgres.create("plain")
    export_tables.into_postgres(bench.postgres, "plain", source, key)
    contenders = [static(bench, coding, file, saved.rows, saved.size, cert) for coding, file in saved.files.items()]
    checked = [copy(bench, "plain", source, saved.rows)]
    shell = shutil.which("sqlite3")
    if shell:
        checked.append(sqlite_shell(bench, shell, source, saved.rows))
    checked.append(fastapi(bench, "plain", key, source, first.sets.all_finished, saved.rows, cert))
    notes = [f"{one.name}: {same}" for one, same in checked]
    if not shell:
        notes.append("sqlite3 shell: not measured, since there is none on this machine")
    return [*contenders, *(one for one, _ in checked)], notes


def _rounds(bench: Bench, contenders: list[Contender], rounds: int) -> None:
    for number in range(1, rounds + 1):
        for one in contenders:
            figures = one.measure()
            bench.say(f"round {number}: {one.name}, {one.case}: {figures.rate:,.0f} rows/s")


def _about(bench: Bench) -> list[tuple[str, str]]:
    shell = shutil.which("sqlite3")
    version = subprocess.run([shell, "--version"], capture_output=True, text=True).stdout.split()[0] if shell else "none"
    return [
        ("PostgreSQL", f"{bench.postgres.version}; {bench.postgres.settings()}"),
        ("sqlite3 shell", version),
        ("FastAPI server", rival.versions()),
    ]


def run(bench: Bench, options: Namespace) -> None:
    about = machine.describe()
    rival.install()
    databases = _start(bench, options)
    saved = _save(bench, databases)
    rivals, notes = _rivals(bench, databases[0], saved[ALL_FINISHED])
    contenders = [*_ours(databases, saved), *rivals]
    _rounds(bench, contenders, options.rounds)
    about += _about(bench)
    sealing = ", ".join(f"{one.name} {one.sets.sealing:.1f} s" for one in databases)
    rows = saved[ALL_FINISHED].rows
    how = (
        f"{rows:,} results in {options.batches} batches of {options.rows:,}, {saved[ALL_FINISHED].size:,} bytes of CSV; "
        f"four in ten authorizers have six metadata keys. {options.rounds} alternating rounds, in each of which a download "
        "is made again until a second is over; cells are medians of the rounds' means, some with the least and the "
        "greatest. Ratios are of rows a second, to COPY and to a static body of the same "
        "coding in the same round. Downloads are over HTTPS, but COPY's and the shell's. "
        f"Sealing {options.batches} batches, from the server's start: {sealing}.\n"
    )
    compared = "Compared once with Tidemark's export of the same rows: " + "; ".join(notes) + ".\n"
    text = report.section(bench.command, about, how, *summary(contenders), compared)
    report.write("export", TITLE, text)
    chart.write(contenders, rows)
    if options.grow:
        export_growth.run(bench, options, databases)
