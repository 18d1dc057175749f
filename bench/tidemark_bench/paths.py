"""Where things are."""

import os
from pathlib import Path

# For trying a scenario out: `BENCH_PROFILE=dev` takes the development build, whose figures say nothing and go to
# target/bench.
PROFILE = os.environ.get("BENCH_PROFILE", "release")

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
# Outside git, and kept from one run to the next.
CACHE = ROOT / "target" / "bench"
BUILT = ROOT / "target" / ("debug" if PROFILE == "dev" else PROFILE)
RESULTS = BENCH / "results.md" if PROFILE == "release" else CACHE / "results.md"
EXPORT_CHART = ROOT / "docs" / "export-speed.svg" if PROFILE == "release" else CACHE / "export-speed.svg"
TIDEMARK = BUILT / "tidemark"
LOAD = BUILT / "load"
