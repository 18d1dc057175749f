"""Starting Tidemark's server as an operator would."""

import json
import os
import subprocess
from pathlib import Path

from .bench import Bench
from .client import Client
from .load import Target
from .paths import LOAD, PROFILE, ROOT, TIDEMARK
from .processes import Started

# Checks begin at once after a submission. Where submissions alone are measured, one check a second is made; where
# checks are measured, the provider's rate must not be what is measured.
SLOW_CHECKS = "[checks]\nper_second = 1\nburst = 1\n"
FREE_CHECKS = "[checks]\nper_second = 1000000\nburst = 100000\n"


def build() -> None:
    """Builds the server and the tools; nothing where they are current."""
    # CARGO_PROFILE_RELEASE_… of the environment hold, for profiling.
    command = ["cargo", "build", "--profile", PROFILE, "--locked", "-p", "tidemark", "-p", "tidemark-bench"]
    subprocess.run(command, cwd=ROOT, check=True)
    for program in (TIDEMARK, LOAD):
        if not program.exists():
            raise SystemExit(f"{program} is missing: is CARGO_TARGET_DIR set?")


def environment() -> dict[str, str]:
    """This one without what would change the server's or a client's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TIDEMARK_", "PG"))}


class Tidemark:
    """One server with its data folder. `start` and `kill` may follow each other."""

    def __init__(
        self,
        bench: Bench,
        name: str,
        *,
        database: str | None = None,
        master_key: Path | None = None,
        checks: str = "",
        metrics: bool = False,
    ):
        self.bench = bench
        self.name = name
        self.folder = bench.folder / name
        self.arguments = ["--data-dir", str(self.folder)]
        if database is not None:
            self.arguments += ["--database-url", database]
        if master_key is not None:
            self.arguments += ["--master-key", str(master_key)]
        self.config = bench.folder / f"{name}.toml"
        self.limit_checks(checks)
        self.server: Started | None = None
        self.key = ""
        self.metrics = metrics
        bench.stack.callback(self.stop)
        self.start()

    def limit_checks(self, checks: str) -> None:
        """Writes the configuration for the next start."""
        self.config.write_text(checks)

    def start(self) -> None:
        log = self.bench.folder / f"{self.name}.log"
        log.unlink(missing_ok=True)
        command = [str(TIDEMARK), "serve", "--listen", "127.0.0.1:0", *self.arguments]
        # One key makes every request of a benchmark.
        command += ["--requests-per-second", "0", "--config", str(self.config)]
        if self.metrics:
            command += ["--metrics-listen", "127.0.0.1:0"]
        self.server = Started(command, log, env=environment())
        self.url = self.server.wait_for("listening on https://").rpartition(" ")[2]
        if self.metrics:
            self.metrics_url = self.server.wait_for("metrics on http://").rpartition(" ")[2]

    def add_requester(self) -> None:
        """An organisation and a key for it."""
        self.run("requester", "add", "Bench")
        self.key = json.loads(self.run("key", "create", "--requester", "Bench", "--json"))["api_key"]

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [TIDEMARK, *command, *self.arguments], env=environment(), capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"tidemark {command}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def pid(self) -> int:
        assert self.server is not None
        return self.server.pid

    @property
    def database_url(self) -> str:
        if "--database-url" in self.arguments:
            return self.arguments[self.arguments.index("--database-url") + 1]
        return f"sqlite://{self.folder / 'tidemark.db'}"

    @property
    def ca(self) -> Path:
        return self.folder / "tls" / "cert.pem"

    def target(self) -> Target:
        return Target(self.url, self.ca, self.key)

    def client(self) -> Client:
        return Client(self.url, self.ca, self.key)

    def kill(self) -> None:
        assert self.server is not None
        self.server.kill()

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()


def on_sqlite(bench: Bench, name: str, *, checks: str = "", metrics: bool = False) -> Tidemark:
    server = Tidemark(bench, name, checks=checks, metrics=metrics)
    server.add_requester()
    return server


def on_postgres(bench: Bench, name: str, *, checks: str = "", metrics: bool = False) -> Tidemark:
    database = bench.postgres.create(name.replace("-", "_"))
    server = Tidemark(bench, name, database=database, checks=checks, metrics=metrics)
    server.add_requester()
    return server


def second_node(bench: Bench, name: str, first: Tidemark) -> Tidemark:
    """Another server on the first one's PostgreSQL database, with a data folder of its own."""
    node = Tidemark(bench, name, database=first.database_url, master_key=first.folder / "master.key")
    node.key = first.key
    return node
