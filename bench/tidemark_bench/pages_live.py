"""What pages cost that stay open: memory, processor, and questions to the database."""

import json
import subprocess
import time
from argparse import Namespace
from dataclasses import dataclass

from . import browser, load, machine, report
from .bench import Bench
from .browser import Browser
from .client import wait_completed
from .load import without_key
from .pages_site import TEAM, Site
from .processes import cpu_seconds, memory

# Streams of one session; the server allows a few more.
EACH = 20
# PostgreSQL's processes tell what they did once a second, and idle ones within ten.
REST = 12
HOW = (
    "Half of them are overviews and half pages of running batches, each on a TLS connection of its own, {each} to a "
    "session, looked at for {{seconds:g}} s. *Quiet*: nothing changes. *Running*: a batch gets 10 results a second, the "
    "one that half of the pages show. Statements are the transactions that PostgreSQL counted in the "
    "database, background duties included; memory is the server's VmRSS.\n"
).format(each=EACH)


@dataclass
class Figures:
    what: str
    open: int
    events: float
    resident: float
    statements: int | None
    cpu: float


class Streams:
    """Pages that are open."""

    def __init__(self, site: Site, browsers: list[Browser], paths: list[str]):
        streams = [
            {"path": path, "headers": browsers[no // EACH].header_lines()} for no, path in enumerate(paths)
        ]
        self.count = len(paths)
        self.process = subprocess.Popen(
            without_key("streams", site.server.url, site.server.ca), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.process.stdin.write(json.dumps(streams) + "\n")
        self.process.stdin.flush()
        opened = self.process.stdout.readline()
        if not opened or json.loads(opened)["open"] != self.count:
            self.process.kill()
            raise RuntimeError(f"not every stream could be opened: {opened}")

    def close(self) -> float:
        """Events a second."""
        told, _ = self.process.communicate("\n", timeout=60)
        figures = json.loads(told)
        if figures["open"] != self.count:
            raise RuntimeError(f"of {self.count} streams {figures['open']} were open at the end")
        return figures["events"] / figures["seconds"]


def _transactions(bench: Bench, site: Site) -> int | None:
    arguments = site.server.arguments
    if "--database-url" not in arguments:
        return None
    name = site.server.database_url.rpartition("/")[2]
    # Asked in another database, so that asking does not count.
    return int(bench.postgres.psql(f"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{name}'"))


def _look(bench: Bench, site: Site, what: str, streams: Streams | None, seconds: float) -> Figures:
    time.sleep(REST)
    before, cpu, begun = _transactions(bench, site), cpu_seconds(site.server.pid), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    cpu = (cpu_seconds(site.server.pid) - cpu) / took * 100
    after, resident = _transactions(bench, site), memory(site.server.pid).resident
    figures = Figures(
        what, streams.count if streams else 0, streams.close() if streams else 0.0, resident,
        None if before is None else after - before, cpu,
    )  # fmt: skip
    bench.say(f"{site.server.name}, {what}: {figures}")
    return figures


def _paths(count: int, batches: list[str]) -> list[str]:
    return [
        "/overview/live" if no % 2 else f"/batches/{batches[no // 2 % len(batches)]}/live" for no in range(count)
    ]


def measure(bench: Bench, site: Site, options: Namespace) -> list[Figures]:
    site.server.stop()
    site.server.start()
    emails = [site.emails[name] for name in TEAM]
    browsers = [browser.sign_in(site.server, emails[no % len(emails)]) for no in range(-(-options.streams // EACH))]
    # The handshakes' memory comes back; the first pages fill caches.
    for one in browsers:
        one.page("/")
        one.connection.close()
    machine.wait_until_quiet(bench)
    figures = [_look(bench, site, "quiet", None, options.watch)]
    for count in (options.streams // 10, options.streams):
        streams = Streams(site, browsers, _paths(count, site.batches.unfinished))
        figures.append(_look(bench, site, "quiet", streams, options.watch))
    for count in (0, options.streams):
        running = load.submit_batches(site.server.target(), 1, 1)["batch_ids"]
        streams = Streams(site, browsers, _paths(count, running)) if count else None
        figures.append(_look(bench, site, "running", streams, options.watch))
        wait_completed(site.server.client(), running, 600, pause=1)
    return figures


def table(measured: dict[str, list[Figures]]) -> str:
    rows = []
    for name, figures in measured.items():
        for one in figures:
            statements = "–" if one.statements is None else report.number(one.statements)
            above = f"{one.resident - figures[0].resident:.1f}"
            cells = [report.number(one.events), report.number(one.resident), above, statements, f"{one.cpu:.1f} %"]
            rows.append([name, one.what, f"{one.open:,}", *cells])
    head = ("Database", "state", "open pages", "events/s", "memory MiB", "above none open, MiB", "statements", "CPU of one core")
    return report.table(head, rows, left=2)
