"""The command line of `bench/run`. A new scenario is a module with `TITLE` and `run`, named in `SCENARIOS`."""

import argparse
import shlex
import sys

from . import bench, checks, idle, recovery, submit, tidemark

SCENARIOS = {"submit": submit, "checks": checks, "idle": idle, "recovery": recovery}


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures Tidemark and writes bench/results.md.")
    parser.add_argument("what", nargs="+", choices=[*SCENARIOS, "all"], metavar="WHAT", help=" ".join([*SCENARIOS, "all"]))
    parser.add_argument("--rounds", type=int, default=3, help="rounds of submit and checks [3]")
    parser.add_argument("--seconds", type=float, default=8, help="length of a round of submit [8]")
    parser.add_argument("--warm-up", type=float, default=3, help="seconds of submit's warm-up [3]")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8], help="concurrent clients of submit [1 8]")
    parser.add_argument("--batches", type=int, default=40, help="batches in a round of checks [40]")
    parser.add_argument("--idle-seconds", type=float, default=30, help="length of a look at an idle server [30]")
    parser.add_argument("--times", type=int, default=5, help="kills of recovery [5]")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    names = list(SCENARIOS) if "all" in options.what else list(dict.fromkeys(options.what))
    tidemark.build()
    for name in names:
        with bench.run(shlex.join(["bench/run", *arguments])) as one:
            one.say(f"Scenario {name}")
            SCENARIOS[name].run(one, options)
    print("bench/results.md is written.", file=sys.stderr)
    return 0
