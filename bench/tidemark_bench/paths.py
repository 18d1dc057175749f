"""Where things are."""

from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
# Outside git, and kept from one run to the next.
CACHE = ROOT / "target" / "bench"
RESULTS = BENCH / "results.md"
TIDEMARK = ROOT / "target" / "release" / "tidemark"
LOAD = ROOT / "target" / "release" / "load"
