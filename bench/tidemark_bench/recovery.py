"""How long a killed server's work lies still."""

import time
from argparse import Namespace

from . import load, machine, report, tidemark
from .bench import Bench
from .client import Client, recorded

TITLE = "Recovery from kill -9"
BATCHES = 5


def _until(client: Client, ids: list[str], done: int, begun: float) -> float:
    """Seconds from `begun` until at least `done` results are recorded. Asks five times a second."""
    while time.monotonic() - begun < 180:
        if recorded(client, ids) >= done:
            return time.monotonic() - begun
        time.sleep(0.2)
    raise RuntimeError("no recovery within 180 s")


def _kill_in_the_middle(server: tidemark.Tidemark) -> tuple[list[str], float]:
    """Submits, and kills the server as soon as some results are recorded; the batches and the moment.

    The count may move on until the kill lands, so whoever waits for new results counts again afterwards.
    """
    ids = load.submit_batches(server.target(), BATCHES, BATCHES)["batch_ids"]
    client = server.client()
    while recorded(client, ids) == 0:
        pass
    begun = time.monotonic()
    server.kill()
    return ids, begun


def _restarted(server: tidemark.Tidemark) -> tuple[float, float, float] | None:
    """To listening again, to the first new result, and to the last; None where nothing was left to do."""
    ids, begun = _kill_in_the_middle(server)
    server.start()
    listening = time.monotonic() - begun
    return _watch(server.client(), ids, begun, listening)


def _taken_over(bench: Bench, first: tidemark.Tidemark, second: tidemark.Tidemark) -> tuple[float, float, float] | None:
    ids, begun = _kill_in_the_middle(first)
    figures = _watch(second.client(), ids, begun, 0.0)
    first.start()
    return figures


def _watch(client: Client, ids: list[str], begun: float, listening: float) -> tuple[float, float, float] | None:
    before = recorded(client, ids)
    total = BATCHES * 1000
    if before == total:
        return None
    first = _until(client, ids, before + 1, begun)
    return listening, first, _until(client, ids, total, begun)


def _repeat(bench: Bench, name: str, times: int, once) -> list[tuple[float, float, float]]:
    figures: list[tuple[float, float, float]] = []
    tries = 0
    while len(figures) < times and tries < 3 * times:
        tries += 1
        if (one := once()) is not None:
            figures.append(one)
            bench.say(f"{name}, {len(figures)}: first result after {one[1]:.1f} s, last after {one[2]:.1f} s")
    if not figures:
        raise RuntimeError(f"{name}: every batch was finished before the kill")
    return figures


def run(bench: Bench, options: Namespace) -> None:
    about = machine.describe()
    sqlite = tidemark.on_sqlite(bench, "recovery-sqlite")
    figures = {"SQLite, restarted": _repeat(bench, "SQLite", options.times, lambda: _restarted(sqlite))}
    sqlite.stop()
    first = tidemark.on_postgres(bench, "recovery-postgres")
    second = tidemark.second_node(bench, "recovery-second", first)
    figures["PostgreSQL, two nodes"] = _repeat(
        bench, "PostgreSQL", options.times, lambda: _taken_over(bench, first, second)
    )
    about.append(("PostgreSQL", bench.postgres.version))
    rows = []
    for name, ones in figures.items():
        columns = list(zip(*ones, strict=True))
        rows.append([name, len(ones), *(report.spread(column) for column in columns)])
    how = (
        f"{BATCHES} batches of 1,000 authorizers; the server is killed once the first results are recorded. Seconds "
        "from the kill: median (min–max). A server on SQLite knows when it starts that whoever held checks is dead; on "
        "PostgreSQL the other node waits until the dead one's lease of 26 s ends.\n"
    )
    head = ("Set-up", "kills", "listening again", "first new result", "last result")
    report.write("recovery", TITLE, report.section(bench.command, about, how, report.table(head, rows)))
