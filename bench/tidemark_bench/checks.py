"""Checks settled a second, with the sandbox bank, which answers at once."""

import time
from argparse import Namespace

from . import load, machine, report, tidemark
from .bench import Bench
from .client import recorded, wait_completed
from .processes import cpu_seconds

TITLE = "Checks"


def _whole(bench: Bench, server: tidemark.Tidemark, batches: int) -> dict[str, float]:
    """From the first submission's start to the last batch's completion."""
    database = [bench.postgres.server.pid] if "--database-url" in server.arguments else []
    client, cpu = server.client(), cpu_seconds(server.pid, *database)
    begun = time.monotonic()
    ids = load.submit_batches(server.target(), 2, batches)["batch_ids"]
    wait_completed(client, ids, 600, pause=0.05)
    ended = time.monotonic()
    return {
        "whole": batches * 1000 / (ended - begun),
        "cores": (cpu_seconds(server.pid, *database) - cpu) / (ended - begun),
    }


def _drain(bench: Bench, server: tidemark.Tidemark, batches: int) -> dict[str, float]:
    """All submitted while checks are as good as off; then the same server without that brake is timed."""
    ids = load.submit_batches(server.target(), 2, batches)["batch_ids"]
    server.stop()
    server.limit_checks(tidemark.FREE_CHECKS)
    server.start()
    client, begun = server.client(), time.monotonic()
    left = batches * 1000 - recorded(client, ids)
    wait_completed(client, ids, 600, pause=0.05)
    taken = time.monotonic() - begun
    server.stop()
    server.limit_checks(tidemark.SLOW_CHECKS)
    server.start()
    return {"drain": left / taken}


def run(bench: Bench, options: Namespace) -> None:
    about = machine.describe()
    rows = []
    for name, start in (("SQLite", tidemark.on_sqlite), ("PostgreSQL", tidemark.on_postgres)):
        server = start(bench, f"checks-{name.lower()}", checks=tidemark.FREE_CHECKS)
        wait_completed(server.client(), load.submit_batches(server.target(), 1, 2)["batch_ids"], 60)
        rounds = []
        for number in range(options.rounds):
            figures = _whole(bench, server, options.batches)
            bench.say(f"{name}, round {number + 1}: {figures['whole']:,.0f} checks/s")
            rounds.append(figures)
        server.stop()
        slow = start(bench, f"drain-{name.lower()}", checks=tidemark.SLOW_CHECKS)
        for number, figures in enumerate(rounds):
            figures |= _drain(bench, slow, options.batches)
            bench.say(f"{name}, round {number + 1}: {figures['drain']:,.0f} checks/s drained")
        slow.stop()
        columns = ("whole", "drain", "cores")
        rows.append([name, *(report.spread([one[column] for one in rounds]) for column in columns)])
    about.append(("PostgreSQL", f"{bench.postgres.version}; {bench.postgres.settings()}"))
    how = (
        f"{options.batches} batches of 1,000 authorizers, {options.rounds} rounds; each cell is median (min–max). "
        "Together: from the first submission's start until every batch is COMPLETED, over 2 connections. "
        "Alone: all batches are submitted before checks begin; the clock starts when the server listens. "
        "Cores: the server and PostgreSQL, during the first. The rate at which the provider may be asked is lifted "
        "from its default of 20,000 a second.\n"
    )
    head = ("Database", "submitted and checked, checks/s", "checked alone, checks/s", "cores")
    report.write("checks", TITLE, report.section(bench.command, about, how, report.table(head, rows)))
