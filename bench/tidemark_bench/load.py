"""Running the load generator, `bench/load`."""

import json
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bench import fresh
from .paths import LOAD


@dataclass
class Target:
    """A server under test."""

    url: str
    ca: Path
    key: str


def command(target: Target, clients: int, *, rows: int = 1000, **more: str) -> list[str]:
    """`more` holds further flags of `load submit`."""
    flags = {
        "url": target.url, "ca": str(target.ca), "key": target.key, "clients": str(clients), "rows": str(rows),
        "nonce": fresh(), **more,
    }  # fmt: skip
    return [str(LOAD), "submit", *(part for name, value in flags.items() for part in (f"--{name}", value))]


def without_key(what: str, url: str, ca: Path, **more: str) -> list[str]:
    """A command of `load` that asks a server without an API key."""
    flags = {"url": url, "ca": str(ca), **more}
    return [str(LOAD), what, *(part for name, value in flags.items() for part in (f"--{name}", value))]


def _report(line: str) -> dict[str, Any]:
    report = json.loads(line)
    if report["errors"]:
        raise RuntimeError(f"{report['errors']} submissions failed, the first with: {report['first_error']}")
    return report


def submit_for(target: Target, clients: int, seconds: float, rows: int = 1000) -> dict[str, Any]:
    """Submits for a time. The report also says what the load generator itself used of the machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = subprocess.run(command(target, clients, rows=rows, seconds=str(seconds)), stdout=subprocess.PIPE, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = _report(line.stdout.decode())
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return report | {"client_cores": used / report["seconds"]}


def submit_batches(target: Target, clients: int, count: int, rows: int = 1000) -> dict[str, Any]:
    """Submits a number of batches; the report holds their ids."""
    arguments = [*command(target, clients, rows=rows, count=str(count)), "--ids"]
    return _report(subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout.decode())
