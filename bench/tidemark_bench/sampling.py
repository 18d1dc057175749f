"""What a download costs: time, CPU of everyone concerned, and the memory that a server takes for it."""

import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .processes import cpu_seconds, tree

EVERY = 0.02


@dataclass
class Download:
    """Figures of one download, or the means of several. Seconds are of the clock; `*_cpu` are seconds of CPUs."""

    rows: int
    seconds: float
    # None where nobody could tell.
    first_byte: float | None
    decoded_bytes: int
    wire_bytes: int
    # How many there were: CPU time is told in hundredths of a second, which a quick download does not take.
    times: int = 1
    server_cpu: float = 0.0
    database_cpu: float = 0.0
    client_cpu: float = 0.0
    # Above what there was before.
    peak_mib: float = 0.0

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


def anonymous_kib(pid: int) -> int:
    """RssAnon of one process; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    _, found, rest = status.partition("RssAnon:")
    return int(rest.split(None, 1)[0]) if found else 0


def children(pid: int) -> list[int]:
    """The processes that a process started and that live."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # a kernel without that file, or a process that is gone
        return tree(pid)[1:]


class Peak(threading.Thread):
    """The most anonymous memory that some processes hold together while the block runs."""

    def __init__(self, pids: Callable[[], list[int]]):
        super().__init__(daemon=True)
        self.pids = pids
        self.most_kib = 0
        self.done = threading.Event()

    def run(self) -> None:
        while True:
            self.most_kib = max(self.most_kib, sum(map(anonymous_kib, self.pids())))
            if self.done.wait(EVERY):
                return

    def __enter__(self) -> "Peak":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()

    def above(self, idle_kib: int) -> float:
        """In MiB."""
        return max(0, self.most_kib - idle_kib) / 1024


def children_cpu() -> float:
    """CPU seconds of this program's children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class Watched:
    """Who is looked at during a download."""

    server: int | None = None
    # PostgreSQL's first process.
    database: int | None = None
    # Whose memory counts, and what they held when nothing was going on.
    memory: Callable[[], list[int]] = list
    idle_kib: int = 0
    # Whether the program that was started and has ended is what is measured, and no client of it.
    child_is_server: bool = False

    def measure(self, download: Callable[[], Download]) -> Download:
        before = self._cpu()
        with Peak(self.memory) as peak:
            figures = download()
        used = zip(before, self._cpu(), strict=True)
        server, database, child = ((after - earlier) / figures.times for earlier, after in used)
        figures.server_cpu, figures.database_cpu = server, database
        if self.child_is_server:
            figures.server_cpu = child
        else:
            figures.client_cpu = child
        figures.peak_mib = peak.above(self.idle_kib)
        return figures

    def _cpu(self) -> tuple[float, float, float]:
        of = [cpu_seconds(pid) if pid else 0.0 for pid in (self.server, self.database)]
        return of[0], of[1], children_cpu()


def rest(seconds: float = 12) -> None:
    """Until whoever gives memory back has done so."""
    time.sleep(seconds)
