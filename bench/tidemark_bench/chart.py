"""A bar chart of the export scenario as an SVG file that stands alone: no script, no font of its own, light and dark."""

import statistics
from collections.abc import Sequence
from xml.sax.saxutils import escape

from .export_contenders import COPY, Contender
from .export_report import find, ratios
from .paths import EXPORT_CHART

BARS = (
    ("Tidemark, SQLite, zstd", "Tidemark on SQLite, zstd", "ours"),
    ("Tidemark, SQLite, gzip", "Tidemark on SQLite, gzip", "ours"),
    ("Tidemark, SQLite, identity", "Tidemark on SQLite", "ours"),
    ("Tidemark, PostgreSQL, identity", "Tidemark on PostgreSQL", "ours"),
    ("static body, identity", "the same bytes from memory", "limit"),
    (COPY, "PostgreSQL COPY, plain tables", "theirs"),
    ("sqlite3 shell", "sqlite3 shell, plain tables", "theirs"),
    ("FastAPI and asyncpg", "FastAPI and asyncpg", "theirs"),
)
WIDTH, LEFT, RIGHT, TOP, STEP, BAR = 760, 206, 190, 58, 30, 20
NOTES = (
    "Tidemark opens encrypted rows and sends them over TLS; COPY and the shell do neither.",
    "zstd and gzip: until the compressed file has arrived, without unpacking it.",
)
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .note { font-size: 12px; fill: #59636e }
  .ours { fill: #0b7285 }
  .limit { fill: #adb5bd }
  .theirs { fill: #c2703d }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .note { fill: #9198a1 }
    .ours { fill: #3bc9db }
    .limit { fill: #6c757d }
    .theirs { fill: #e8975f }
  }
"""


def _rate(value: float) -> str:
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.0f} k"


def _ratio(values: Sequence[float]) -> str:
    ratio = statistics.median(values)
    return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}"


def draw(bars: Sequence[tuple[str, str, float, str]], rows: int) -> str:
    """`bars` hold a label, a class, rows a second, and what to say beside them."""
    most = max(rate for _, _, rate, _ in bars)
    height = TOP + STEP * len(bars) + 17 * (1 + len(NOTES))
    title = f"One CSV export of {rows:,} rows: rows a second"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="12" y="24">{escape(title)}</text>',
        '<text class="note" x="12" y="43">Longer is better; behind each bar, how many times COPY it is.</text>',
    ]
    for place, (label, kind, rate, beside) in enumerate(bars):
        y = TOP + place * STEP
        length = max(1.0, (WIDTH - LEFT - RIGHT) * rate / most)
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(label)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
            f'<text x="{LEFT + length + 8:.1f}" y="{y + 15}">{escape(beside)}</text>',
        ]
    for place, note in enumerate(reversed(NOTES)):
        lines.append(f'<text class="note" x="12" y="{height - 12 - 17 * place}">{escape(note)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def write(contenders: list[Contender], rows: int) -> None:
    """Draws whoever was measured into `docs/export-speed.svg`."""
    copy, names = find(contenders, COPY), {one.name for one in contenders}
    bars = []
    for name, label, kind in BARS:
        if name in names:
            one = find(contenders, name)
            rate = statistics.median(figures.rate for figures in one.rounds)
            beside = f"{_rate(rate)} · {_ratio(ratios(one, copy))} ×" if one is not copy else f"{_rate(rate)} · 1 ×"
            bars.append((label, kind, rate, beside))
    EXPORT_CHART.write_text(draw(bars, rows), encoding="utf-8")
