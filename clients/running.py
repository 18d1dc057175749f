"""A running `tidemark serve` with TLS of its own, and what its operator does. Never used by what it is judged by."""

import itertools
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TIDEMARK = TARGET / "debug" / "tidemark"


def environment(**more: str) -> dict[str, str]:
    """This one without what would change how a client or the server works, and `more`."""
    own = ("TIDEMARK_", "PG", "PYTHON", "REQUESTS_", "CURL_", "NODE_", "SSL_CERT_")
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(own) and name.lower() not in proxies
    }
    return kept | more


def use_environment() -> None:
    """Makes it this process's own: a client may run in it too."""
    for name in set(os.environ) - set(environment()):
        del os.environ[name]


class Server:
    """A server in a folder of its own, until `stop`."""

    def __init__(self, folder: Path, **settings: str):
        self.data_dir = folder / "data"
        self.ca = self.data_dir / "tls" / "cert.pem"
        self.log = folder / "log"
        self._numbers = itertools.count(1)
        command = [TIDEMARK, "serve", "--json", "--listen", "127.0.0.1:0", "--data-dir", self.data_dir]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment(**settings), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start:\n{self.log.read_text()}")
        self.url = json.loads(line)["listening"]

    def new_key(self, *, cards: bool = False) -> str:
        """The API key of a new requester, who has nothing yet, and may send debit cards or not."""
        name = f"Lender {next(self._numbers)}"
        self._admin("requester", "add", name)
        if cards:
            self._admin("requester", "set", name, "--cards", "on")
        return self._admin("key", "create", "--requester", name)["api_key"]

    def _admin(self, *arguments: str) -> dict:
        command = [TIDEMARK, *arguments, "--json", "--data-dir", self.data_dir]
        done = subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)
        self._process.stdout.close()
