"""`bench/results.md`: one section for each scenario, so that running one leaves the others' figures alone."""

import re
import statistics
from collections.abc import Iterable, Sequence

from .paths import RESULTS

HEAD = """# Results

Written by `bench/run`; [README.md](README.md) says what each scenario measures and how to read it. Every section
names the machine, the moment and the command of its own figures.
"""
ORDER = ("submit", "checks", "export", "export_growth", "pages", "idle", "recovery")


def table(head: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """A Markdown table; the columns after the first `left` are numbers."""
    lines = [head, ["---"] * left + ["---:"] * (len(head) - left), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def number(value: float) -> str:
    """With three digits that count, or all digits before the point."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: Sequence[float]) -> str:
    """Median, and in brackets the least and the greatest."""
    return f"{number(statistics.median(values))} ({number(min(values))}–{number(max(values))})"


def section(command: str, machine: Iterable[tuple[str, str]], *parts: str) -> str:
    about = table(("Measured with", f"`{command}`"), machine, left=2)
    return "\n".join([about, *parts])


def write(scenario: str, title: str, text: str) -> None:
    """Puts a section in place of its older self."""
    old = RESULTS.read_text() if RESULTS.exists() else ""
    sections = dict(re.findall(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->", old, re.DOTALL))
    sections[scenario] = f"## {title}\n\n{text.rstrip()}\n"
    names = [name for name in ORDER if name in sections] + [name for name in sections if name not in ORDER]
    body = "\n".join(f"<!-- begin {name} -->\n{sections[name]}<!-- end {name} -->\n" for name in names)
    RESULTS.write_text(f"{HEAD}\n{body}")
