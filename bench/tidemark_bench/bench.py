"""What one run holds: a temporary folder, what was started in it, and its end in good order."""

import contextlib
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .paths import CACHE
from .postgres import Postgres


@dataclass
class Bench:
    """One run. `stack` ends what was started, last first."""

    folder: Path
    stack: contextlib.ExitStack
    command: str
    _postgres: list[Postgres] = field(default_factory=list)

    @property
    def postgres(self) -> Postgres:
        """The cluster, started when it is first needed."""
        if not self._postgres:
            self.say("Starting PostgreSQL …")
            self._postgres.append(Postgres(self.folder / "postgres"))
            self.stack.callback(self._postgres[0].stop)
        return self._postgres[0]

    @staticmethod
    def say(text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def fresh() -> str:
    """Eight hexadecimal digits that make bodies unlike those of any other call."""
    return secrets.token_hex(4)


@contextlib.contextmanager
def run(command: str) -> Iterator[Bench]:
    """Everything that was started ends with the block, also on Ctrl-C and SIGTERM."""

    def stopped(number: int, _: object) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        raise SystemExit(128 + number)

    previous = {name: signal.signal(name, stopped) for name in (signal.SIGINT, signal.SIGTERM)}
    CACHE.mkdir(parents=True, exist_ok=True)
    # On the disk of the working copy: /tmp may be memory, where syncing costs nothing.
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
    folder.chmod(0o711)  # the owner of PostgreSQL's folder has to get through
    try:
        with contextlib.ExitStack() as stack:
            yield Bench(folder, stack, command)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for name, handler in previous.items():
            signal.signal(name, handler)
