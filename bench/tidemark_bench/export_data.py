"""The data sets of the export scenario, made by `load fill` through Tidemark's own store."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import tidemark
from .bench import Bench
from .paths import LOAD

SEALING_SECONDS = 900


@dataclass
class Filled:
    """Batches of one seed."""

    finished: list[str]
    unfinished: list[str]
    rows: int


def fill(server: tidemark.Tidemark, *, batches: int, rows: int, seed: int, **more: str) -> Filled:
    """Adds batches to the database of a server that is stopped. `more` holds further flags of `load fill`."""
    flags = {
        "database-url": server.database_url, "master-key": str(server.folder / "master.key"), "requester": "Bench",
        "batches": str(batches), "rows": str(rows), "seed": str(seed),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }  # fmt: skip
    command = [str(LOAD), "fill", *(part for name, value in flags.items() for part in (f"--{name}", value))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=tidemark.environment())
    report: dict[str, Any] = json.loads(done.stdout)
    server.bench.say(f"{server.name}: {report['rows']:,} results in {report['seconds']:.0f} s")
    return Filled(report["finished"], report["unfinished"], report["rows"])


def unsealed(server: tidemark.Tidemark) -> int:
    """How many completed batches have no segment yet, as the operator sees it."""
    with urllib.request.urlopen(server.metrics_url, timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    for line in lines:
        name, _, value = line.partition(" ")
        if name == "tidemark_unsealed_batches":
            return int(float(value))
    raise RuntimeError("the server does not tell of unsealed batches")


def until_none(left: Callable[[], int], fault: str, seconds: float, pause: float) -> float:
    """Seconds until nothing is left to do; so many are an error."""
    begun = time.monotonic()
    while left() > 0:
        if time.monotonic() - begun > seconds:
            raise RuntimeError(f"{fault} after {seconds} s")
        time.sleep(pause)
    return time.monotonic() - begun


def start_and_seal(server: tidemark.Tidemark) -> float:
    """Seconds from the server's start until every completed batch has its segment."""
    begun = time.monotonic()
    server.start()
    until_none(lambda: unsealed(server), "batches are not sealed", SEALING_SECONDS, pause=0.1)
    return time.monotonic() - begun


@dataclass
class Sets:
    """What is exported. Batches of one name have the same rows on every database."""

    all_finished: list[str]
    one_per_cent_unfinished: list[str]
    differing_keys: list[str]
    all_unfinished: list[str]
    # Seconds until `all_finished` were sealed.
    sealing: float


def make(bench: Bench, server: tidemark.Tidemark, batches: int, rows: int) -> Sets:
    """Fills the database and leaves the server running with everything sealed."""
    server.stop()
    finished = fill(server, batches=batches, rows=rows, seed=1).finished
    sealing = start_and_seal(server)
    bench.say(f"{server.name}: {batches} batches sealed in {sealing:.1f} s")
    server.stop()
    unfinished = fill(server, batches=batches, rows=rows, seed=2, unfinished="1").unfinished
    differing = fill(server, batches=batches, rows=rows, seed=3, key_sets="differing").finished
    start_and_seal(server)
    few = max(1, batches // 100)
    return Sets(finished, unfinished[:few] + finished[few:], differing, unfinished, sealing)
