"""How long the dashboard's pages take, what they weigh, and what they cost while they stay open."""

import gzip
import json
import re
import subprocess
from argparse import Namespace
from dataclasses import dataclass

from . import machine, pages_live, pages_site, report, tidemark
from .bench import Bench
from .browser import Browser
from .load import without_key
from .pages_site import Kind, Site

TITLE = "Pages"
BATCHES = 10_000
ROWS = 500
CROWD = 8
# What the figures are held against.
MOST_MS = 30
MOST_KB = 150


@dataclass
class Figures:
    """Of one kind of page on one database; times in milliseconds."""

    p50: float
    p95: float
    most: float
    bytes: int

    def cells(self) -> list[str]:
        return [report.number(self.p50), report.number(self.p95), report.number(self.most)]


def visit(site: Site, kinds: list[Kind], requests: int, clients: int) -> dict[str, Figures]:
    """Asks for every kind of page again and again."""
    pages = [{"name": kind.name, "headers": kind.browser.header_lines(), "paths": kind.paths} for kind in kinds]
    command = without_key("visit", site.server.url, site.server.ca, clients=str(clients), times=str(requests))
    done = subprocess.run(command, input=json.dumps(pages).encode(), stdout=subprocess.PIPE, check=True)
    return {
        one["name"]: Figures(one["p50_ms"], one["p95_ms"], one["max_ms"], one["most_bytes"])
        for one in json.loads(done.stdout)
    }


def assets(kind: Kind) -> int:
    """Bytes of everything that a page of this kind makes a browser load, as they are sent."""
    _, _, text = kind.browser.ask("GET", kind.paths[0].partition(" ")[0])
    return sum(_sent(kind.browser, path) for path in sorted(set(re.findall(r'"(/assets/[^"]+\.(?:css|js|svg))"', text))))


def _sent(browser: Browser, path: str) -> int:
    answer, body = browser.exchange("GET", path, None, browser.headers())
    if answer.status != 200 or answer.headers["Content-Encoding"] != "gzip" or not gzip.decompress(body):
        raise RuntimeError(f"GET {path}: {answer.status} {answer.headers}")
    head = sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
    return len(body) + head


@dataclass
class Measured:
    """One database."""

    rows: int
    alone: dict[str, Figures]
    crowd: dict[str, Figures]
    assets: dict[str, int]
    live: list[pages_live.Figures]


def measure(bench: Bench, site: Site, options: Namespace) -> Measured:
    kinds = pages_site.kinds(site)
    machine.wait_until_quiet(bench)
    alone = visit(site, kinds, options.requests, 1)
    slowest = max(alone, key=lambda name: alone[name].p95)
    bench.say(f"{site.server.name}: the slowest is {slowest!r}, p95 {alone[slowest].p95:.1f} ms")
    crowd = visit(site, kinds, options.requests, CROWD)
    weights = {kind.name: assets(kind) for kind in kinds}
    return Measured(site.batches.rows, alone, crowd, weights, pages_live.measure(bench, site, options))


def _times(measured: dict[str, Measured], of: str) -> str:
    head = ["Page", *(f"{name}, {what} ms" for name in measured for what in ("p50", "p95", "max"))]
    names = next(iter(measured.values())).alone
    return report.table(head, [[name, *(cell for one in measured.values() for cell in getattr(one, of)[name].cells())] for name in names])


def _weights(measured: Measured) -> str:
    rows = []
    for name, figures in measured.alone.items():
        whole = figures.bytes + measured.assets[name]
        rows.append([name, report.number(figures.bytes / 1e3), report.number(whole / 1e3)])
    return report.table(("Page", "page, kB", "with everything, kB"), rows)


def _verdict(measured: dict[str, Measured]) -> str:
    slow = [
        f"{page} on {name} ({figures.p95:.1f} ms)"
        for name, one in measured.items() for page, figures in one.alone.items() if figures.p95 >= MOST_MS
    ]  # fmt: skip
    heavy = [
        f"{page} on {name} ({(figures.bytes + one.assets[page]) / 1e3:.0f} kB)"
        for name, one in measured.items() for page, figures in one.alone.items()
        if figures.bytes + one.assets[page] >= MOST_KB * 1e3
    ]  # fmt: skip
    told = lambda what, over: f"{what}: {', '.join(over) if over else 'none'}."  # noqa: E731
    return (
        told(f"Pages whose p95 with one client is {MOST_MS} ms or more", slow)
        + " " + told(f"Pages of {MOST_KB} kB or more with everything", heavy) + "\n"
    )  # fmt: skip


def run(bench: Bench, options: Namespace) -> None:
    about = machine.describe()
    measured: dict[str, Measured] = {}
    for name, start in (("SQLite", tidemark.on_sqlite), ("PostgreSQL", tidemark.on_postgres)):
        server = start(bench, f"pages-{name.lower()}", checks=pages_site.CHECKS, metrics=True)
        site = pages_site.build(bench, server, options.batches, options.rows)
        measured[name] = measure(bench, site, options)
        server.stop()
    about.append(("PostgreSQL", f"{bench.postgres.version}; {bench.postgres.settings()}"))
    write(bench, about, measured, options)


def write(bench: Bench, about: list[tuple[str, str]], measured: dict[str, Measured], options: Namespace) -> None:
    rows = next(iter(measured.values())).rows
    how = (
        f"One requester has {options.batches:,} batches of {options.rows} and {rows:,} results over {pages_site.DAYS} "
        f"days, {pages_site.ACTS:,} entries of activity and {len(pages_site.TEAM) + 2 + pages_site.OTHERS} users; a second one has a "
        f"hundredth of that. {options.requests} requests of each page over one kept connection, after ten that do not "
        "count, with other ids where a page has one; times are from sending the request to the last byte, at the "
        "client.\n"
    )
    parts = [
        how, _verdict(measured), "### One client\n", _times(measured, "alone"),
        f"### {CROWD} clients at once\n", _times(measured, "crowd"),
        "### Weight\n",
        "The largest of these answers, as sent to a browser that takes gzip and Brotli, headers included; and with "
        "style sheet, scripts and icon, which a browser loads once.\n",
        _weights(measured["PostgreSQL"]), "### Open live pages\n",
        pages_live.HOW.format(seconds=options.watch), pages_live.table({name: one.live for name, one in measured.items()}),
    ]  # fmt: skip
    report.write("pages", TITLE, report.section(bench.command, about, *parts))
