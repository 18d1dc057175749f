"""A server whose exports break where it is told: the example `cut_server`. It takes one order a line, on its stdin."""

import json
import queue
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

from running import TARGET, environment

from .reader import Source

CUT_SERVER = TARGET / "debug" / "examples" / "cut_server"
# A line of the server comes within these seconds.
PATIENCE = 60


class CutServer:
    """A server in a folder, where the next one finds what this one leaves; until `end` or `kill`."""

    def __init__(self, folder: Path):
        self.log = folder.with_suffix(".log")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [CUT_SERVER, folder], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        self._done, self._reached = queue.SimpleQueue(), queue.SimpleQueue()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start:\n{self.log.read_text()}")
        told = json.loads(line)
        self.url, self._ca, self._key = told["url"], Path(told["ca"]), told["key"]
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._listener.join()
        # What it never read.
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()

    def _listen(self) -> None:
        for line in self._process.stdout:
            # One comes when it may, the other as the answer to an order.
            (self._reached if line == b"reached\n" else self._done).put(line)

    def source(self, path: str) -> Source:
        return Source(self.url, self._ca, self._key, path)

    def order(self, *orders: str) -> None:
        """Gives orders, and waits until each is done."""
        self._process.stdin.write("".join(f"{one}\n" for one in orders).encode())
        self._process.stdin.flush()
        for _ in orders:
            assert self._done.get(timeout=PATIENCE) == b"done\n"

    def wait_until_reached(self, count: int) -> None:
        """Until so many exports wait where they were told to."""
        for _ in range(count):
            self._reached.get(timeout=PATIENCE)

    def end(self) -> None:
        """SIGTERM, and an end in good order."""
        self._process.terminate()
        assert self._process.wait(PATIENCE) == 0, self.log.read_text()[-2_000:]

    def kill(self) -> None:
        """SIGKILL, which nothing answers any more."""
        self._process.kill()
        self._process.wait(PATIENCE)
