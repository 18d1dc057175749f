"""Durable submissions: authorizers a second that are on the disk when their 201 goes out."""

import statistics
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import load, machine, report, rival, tidemark
from .bench import Bench
from .processes import busy_seconds, cpu_seconds, memory, reset_peak

TITLE = "Submissions"


class Server(Protocol):
    pid: int

    def target(self) -> load.Target: ...


@dataclass
class Contender:
    name: str
    server: Server
    on_postgres: bool
    is_ours: bool = False
    # By number of clients: one report a round.
    rounds: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def rates(self, clients: int) -> list[float]:
        return [one["authorizers_per_second"] for one in self.rounds[clients]]


def _start(bench: Bench) -> list[Contender]:
    rival.install()
    sqlite = tidemark.on_sqlite(bench, "tidemark-sqlite", checks=tidemark.SLOW_CHECKS)
    postgres = tidemark.on_postgres(bench, "tidemark-postgres", checks=tidemark.SLOW_CHECKS)
    contenders = [
        Contender("Tidemark, SQLite", sqlite, False, is_ours=True),
        Contender("Tidemark, PostgreSQL", postgres, True, is_ours=True),
    ]
    # Tidemark's own certificate, so that TLS is the same work on both sides.
    cert = (sqlite.ca, sqlite.ca.with_name("key.pem"))
    for sealed in (False, True):
        for workers in (1, 2):
            variant = "sealed" if sealed else "plain"
            name = f"rival-{variant}-{workers}"
            server = rival.Submissions(bench, name, sealed=sealed, workers=workers, cert=cert)
            plural = "worker" if workers == 1 else "workers"
            contenders.append(Contender(f"FastAPI {variant}, {workers} {plural}", server, True))
    return contenders


def _round(bench: Bench, contender: Contender, clients: int, seconds: float) -> dict[str, Any]:
    database = [bench.postgres.server.pid] if contender.on_postgres else []
    reset_peak(contender.server.pid)
    before = cpu_seconds(contender.server.pid), cpu_seconds(*database), busy_seconds()
    figures = load.submit_for(contender.server.target(), clients, seconds)
    after = cpu_seconds(contender.server.pid), cpu_seconds(*database), busy_seconds()
    figures["server_cores"] = (after[0] - before[0]) / figures["seconds"]
    figures["database_cores"] = (after[1] - before[1]) / figures["seconds"] if database else 0.0
    ours = sum(figures[name] for name in ("server_cores", "database_cores", "client_cores"))
    # Whatever else ran meanwhile, with the kernel's own work: much of it makes the round worthless.
    figures["other_cores"] = max(0.0, (after[2] - before[2]) / figures["seconds"] - ours)
    figures["peak_mib"] = memory(contender.server.pid).peak
    return figures


def _table(contenders: list[Contender], clients: int) -> str:
    def middle(contender: Contender, name: str) -> str:
        return report.number(statistics.median(one[name] for one in contender.rounds[clients]))

    head = (
        "Server", "authorizers/s (min–max)", "p50 ms", "p99 ms", "max ms", "server, cores", "PostgreSQL, cores",
        "load generator, cores", "others, cores", "peak RSS MiB",
    )  # fmt: skip
    names = ("p50_ms", "p99_ms", "max_ms", "server_cores", "database_cores", "client_cores", "other_cores", "peak_mib")
    rows = [
        [one.name, report.spread(one.rates(clients)), *(middle(one, name) for name in names)] for one in contenders
    ]
    return report.table(head, rows)


def ratios(contenders: list[Contender], clients: int, match: Callable[[str], bool]) -> list[list[str]]:
    """Tidemark against the best of some rivals, round by round: paired, so that a slow minute hits both."""
    rivals = [one for one in contenders if not one.is_ours and match(one.name)]
    best = max(rivals, key=lambda one: statistics.median(one.rates(clients)))
    rows = []
    for ours in (one for one in contenders if one.is_ours):
        pairs = [a / b for a, b in zip(ours.rates(clients), best.rates(clients), strict=True)]
        rows.append([ours.name, best.name, str(clients), report.spread(pairs)])
    return rows


def run(bench: Bench, options: Namespace) -> None:
    about = machine.describe()
    contenders = _start(bench)
    for clients in options.clients:
        for contender in contenders:
            bench.say(f"{contender.name}, {clients} clients: warm-up")
            load.submit_for(contender.server.target(), clients, options.warm_up)
        for number in range(1, options.rounds + 1):
            for contender in contenders:
                figures = _round(bench, contender, clients, options.seconds)
                contender.rounds.setdefault(clients, []).append(figures)
                rate = figures["authorizers_per_second"]
                bench.say(f"{contender.name}, {clients} clients, round {number}: {rate:,.0f} authorizers/s")
    about += [("PostgreSQL", f"{bench.postgres.version}; {bench.postgres.settings()}"), ("Rival", rival.versions())]
    size = contenders[0].rounds[options.clients[0]][0]["request_bytes"]
    how = (
        f"Batches of 1,000 authorizers, {size:,} bytes each, all different; HTTPS with keep-alive; "
        f"{options.rounds} alternating rounds of {options.seconds:g} s after a warm-up of {options.warm_up:g} s. "
        "Medians of the rounds. The load generator runs on the same machine."
    )
    parts = [how + "\n"]
    pairs: list[list[str]] = []
    for clients in options.clients:
        parts += [f"### {clients} concurrent client{'s' if clients > 1 else ''}\n", _table(contenders, clients)]
        for variant in ("plain", "sealed"):
            pairs += ratios(contenders, clients, lambda name, variant=variant: variant in name)
    head = ("Tidemark", "against", "clients", "times as many (min–max of the rounds)")
    parts += ["### Ratios, round by round, against the better number of workers\n", report.table(head, pairs, left=2)]
    report.write("submit", TITLE, report.section(bench.command, about, *parts))
