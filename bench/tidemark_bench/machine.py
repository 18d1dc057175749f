"""What the figures were measured on."""

import datetime
import os
import platform
import re
import statistics
import subprocess
import time
from pathlib import Path

from .bench import Bench
from .paths import CACHE, PROFILE, ROOT


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _field(path: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.+)$", Path(path).read_text(), re.MULTILINE)
    return found[1].strip() if found else "unknown"


def fsync_ms(folder: Path, times: int = 200) -> tuple[float, float]:
    """Median and 99th percentile of appending 8 KiB and fdatasync, where the databases are."""
    path, taken = folder / "fsync-probe", []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            begun = time.perf_counter()
            file.write(b"x" * 8192)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1e3)
    path.unlink()
    return statistics.median(taken), sorted(taken)[times * 99 // 100]


def file_system(folder: Path) -> str:
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if str(folder).startswith(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def wait_until_quiet(bench: Bench, most: float = 0.7, seconds: float = 900) -> None:
    """Until what ran before, here or beside, no longer shows in the load; not for ever."""
    end = time.monotonic() + seconds
    while os.getloadavg()[0] >= most:
        if time.monotonic() > end:
            bench.say(f"The machine does not come to rest: load {os.getloadavg()[0]:.2f}")
            return
        time.sleep(5)


def describe() -> list[tuple[str, str]]:
    """The machine, as rows of a table."""
    CACHE.mkdir(parents=True, exist_ok=True)
    memory_kb = int(_field("/proc/meminfo", "MemTotal").split()[0])
    median, worst = fsync_ms(CACHE)
    load = os.getloadavg()
    changed = " with uncommitted changes" if _output("git", "status", "--porcelain", "--untracked-files=no") else ""
    return [
        ("Date", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("CPU", f"{os.cpu_count()} × {_field('/proc/cpuinfo', 'model name')}"),
        ("Memory", f"{memory_kb / 1024**2:.0f} GiB"),
        ("System", f"Linux {platform.release()}, {platform.machine()}"),
        ("Disk", f"{file_system(CACHE)}; 8 KiB written and synced in {median:.2f} ms (median), {worst:.2f} ms (p99)"),
        ("Load before", f"{load[0]:.2f} over 1 minute, {load[1]:.2f} over 5"),
        ("Tidemark", f"commit {_output('git', 'rev-parse', '--short=12', 'HEAD')}{changed}, {PROFILE} build"),
        ("Rust", _output("rustc", "--version")),
        ("Python", platform.python_version()),
    ]
