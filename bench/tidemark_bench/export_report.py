"""The tables of the export scenario."""

import statistics
from collections.abc import Iterable
from typing import Any

from . import report
from .export_contenders import COPY, Contender
from .sampling import Download

HEAD = (
    "Download", "rows/s (min–max)", "times COPY", "times static", "MB/s of CSV", "MB/s sent", "first byte ms",
    "server, CPU s", "PostgreSQL, CPU s", "client, CPU s", "memory above idle, MiB",
)  # fmt: skip


def middle(values: Iterable[float]) -> str:
    return report.number(statistics.median(values))


def ratios(ours: Contender, other: Contender) -> list[float]:
    """Round by round, so that a slow minute hits both."""
    return [a.rate / b.rate for a, b in zip(ours.rounds, other.rounds, strict=True)]


def find(contenders: list[Contender], name: str) -> Contender:
    return next(one for one in contenders if one.name == name)


def _row(one: Contender, contenders: list[Contender]) -> list[str]:
    def of(value: Any) -> str:
        return middle(value(figures) for figures in one.rounds)

    def cpu(value: Any) -> str:
        return f"{statistics.median(value(figures) for figures in one.rounds):.3f}"

    def first_byte(figures: Download) -> float:
        return (figures.first_byte or 0.0) * 1e3

    copy, static = find(contenders, COPY), find(contenders, f"static body, {one.coding}")
    over_https = one.watched.server is not None
    return [
        one.name,
        report.spread([figures.rate for figures in one.rounds]),
        report.spread(ratios(one, copy)) if one is not copy else "1",
        report.spread(ratios(one, static)) if one is not static and over_https else "–",
        of(lambda figures: figures.decoded_bytes / figures.seconds / 1e6),
        of(lambda figures: figures.wire_bytes / figures.seconds / 1e6),
        of(first_byte),
        cpu(lambda figures: figures.server_cpu) if one.watched.server or one.watched.child_is_server else "–",
        cpu(lambda figures: figures.database_cpu) if one.watched.database else "–",
        cpu(lambda figures: figures.client_cpu) if not one.watched.child_is_server else "–",
        of(lambda figures: figures.peak_mib),
    ]


def summary(contenders: list[Contender]) -> list[str]:
    """One table for each case, the one with the rivals first."""
    parts = []
    for case in dict.fromkeys(one.case for one in contenders):
        ones = [one for one in contenders if one.case == case]
        rows = ones[0].rounds[0].rows
        title = f"### {case.capitalize()}: {rows:,} rows\n"
        parts += [title, report.table(HEAD, [_row(one, contenders) for one in ones])]
    return parts
