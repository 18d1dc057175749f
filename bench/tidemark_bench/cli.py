"""The command line of `bench/run`. A new scenario is a module with `TITLE` and `run`, named in `SCENARIOS`."""

import argparse
import shlex
import sys

from . import bench, checks, export, idle, pages, recovery, submit, tidemark
from .paths import RESULTS

SCENARIOS = {
    "submit": submit, "checks": checks, "export": export, "pages": pages, "idle": idle, "recovery": recovery,
}  # fmt: skip
ROUNDS = 3
BATCHES = 40


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures Tidemark and writes bench/results.md.")
    parser.add_argument("what", nargs="+", choices=[*SCENARIOS, "all"], metavar="WHAT", help=" ".join([*SCENARIOS, "all"]))
    parser.add_argument(
        "--rounds", type=int, help=f"rounds of submit and checks [{ROUNDS}], and of export [{export.ROUNDS}]"
    )
    parser.add_argument(
        "--batches", type=int,
        help=f"batches in a round of checks [{BATCHES}], in an export [{export.BATCHES}], and behind pages [{pages.BATCHES}]",
    )  # fmt: skip
    parser.add_argument(
        "--rows", type=int, help=f"results in a batch of exports [{export.ROWS}] and of pages [{pages.ROWS}], 5,000 at most"
    )
    group = parser.add_argument_group("submit")
    group.add_argument("--seconds", type=float, default=8, help="length of a round [8]")
    group.add_argument("--warm-up", type=float, default=3, help="seconds of the warm-up [3]")
    group.add_argument("--clients", type=int, nargs="+", default=[1, 8], help="concurrent clients [1 8]")
    group = parser.add_argument_group(
        "export", "Most of the time goes into filling the databases. A first try: --batches 4 --rounds 1."
    )
    group.add_argument("--grow", action="store_true", help="also how cost grows: rows, batches, clients, slow readers, pages")
    group.add_argument("--ten-million", action="store_true", help="with --grow: also one export of ten million rows")
    group = parser.add_argument_group(
        "pages", "Most of the time goes into filling the databases. A first try: --batches 100 --requests 20 --watch 5."
    )
    group.add_argument("--requests", type=int, default=300, help="requests of each page [300]")
    group.add_argument("--streams", type=int, default=1_000, help="open live pages [1000]")
    group.add_argument("--watch", type=float, default=60, help="seconds for which open pages are looked at [60]")
    group = parser.add_argument_group("idle")
    group.add_argument("--idle-seconds", type=float, default=30, help="length of a look at an idle server [30]")
    group = parser.add_argument_group("recovery")
    group.add_argument("--times", type=int, default=5, help="kills [5]")
    return parser.parse_args(arguments)


def _with_defaults(options: argparse.Namespace, name: str) -> argparse.Namespace:
    """What means another number to each scenario."""
    own = argparse.Namespace(**vars(options))
    own.rounds = options.rounds or (export.ROUNDS if name == "export" else ROUNDS)
    own.batches = options.batches or {"export": export.BATCHES, "pages": pages.BATCHES}.get(name, BATCHES)
    own.rows = options.rows or (pages.ROWS if name == "pages" else export.ROWS)
    return own


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    names = list(SCENARIOS) if "all" in options.what else list(dict.fromkeys(options.what))
    tidemark.build()
    for name in names:
        with bench.run(shlex.join(["bench/run", *arguments])) as one:
            one.say(f"Scenario {name}")
            SCENARIOS[name].run(one, _with_defaults(options, name))
    print(f"{RESULTS} is written.", file=sys.stderr)
    return 0
