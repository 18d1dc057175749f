"""What a server costs that has nothing to do."""

import time
from argparse import Namespace

from . import load, machine, report, tidemark
from .bench import Bench
from .client import wait_completed
from .processes import cpu_seconds, memory

TITLE = "Idle"


def _measure(server: tidemark.Tidemark, seconds: float) -> list[str]:
    time.sleep(10)
    before = cpu_seconds(server.pid)
    time.sleep(seconds)
    share = (cpu_seconds(server.pid) - before) / seconds * 100
    now = memory(server.pid)
    return [f"{share:.2f} %", report.number(now.resident), report.number(now.anonymous), report.number(now.peak)]


def run(bench: Bench, options: Namespace) -> None:
    about = machine.describe()
    rows = []
    for name, start in (("SQLite", tidemark.on_sqlite), ("PostgreSQL", tidemark.on_postgres)):
        server = start(bench, f"idle-{name.lower()}")
        client = server.client()
        wait_completed(client, load.submit_batches(server.target(), 1, 20)["batch_ids"], 120)
        server.stop()
        server.start()
        bench.say(f"{name}: idle after a start")
        rows.append([name, "a start, 20 finished batches", *_measure(server, options.idle_seconds)])
        ids = load.submit_batches(server.target(), 8, 100)["batch_ids"]
        wait_completed(server.client(), ids, 300)
        bench.say(f"{name}: idle after a load")
        rows.append([name, "100 more batches from 8 clients", *_measure(server, options.idle_seconds)])
        server.stop()
    about.append(("PostgreSQL", bench.postgres.version))
    how = f"The server's process alone, over {options.idle_seconds:g} s, 10 s after the last work.\n"
    head = ("Database", "after", "CPU of one core", "VmRSS MiB", "RssAnon MiB", "VmHWM MiB")
    report.write("idle", TITLE, report.section(bench.command, about, how, report.table(head, rows, left=2)))
