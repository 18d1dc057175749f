"""A PostgreSQL of our own, with its default durability: fsync, synchronous_commit and full_page_writes are on."""

import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from .processes import Started


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_bin() -> Path:
    """The folder of the server's programs: the PATH's, else Debian's newest."""
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent, Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -float(p.parent.name))
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise SystemExit("PostgreSQL 15 or later is needed: initdb and postgres are not in the PATH.")


class Postgres:
    """A running cluster in a folder, on a free loopback port."""

    def __init__(self, folder: Path):
        self.bin = find_bin()
        self.folder = folder
        self.password = secrets.token_hex(16)
        self.port = free_port()
        folder.mkdir(mode=0o700)
        password_file = folder / "password"
        password_file.write_text(f"{self.password}\n")
        self.owner = self._owner()
        self._run(
            str(self.bin / "initdb"), f"--pgdata={folder / 'data'}", "--username=tidemark",
            f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions",
        )  # fmt: skip
        command = [
            str(self.bin / "postgres"), "-D", str(folder / "data"), "-c", "listen_addresses=127.0.0.1",
            "-c", f"port={self.port}", "-c", "unix_socket_directories=",
        ]  # fmt: skip
        # SIGINT is PostgreSQL's fast shutdown.
        # A change of owner clears the parent-death signal, so that it is asked for again in the same step.
        owner = [*self.owner[:-1], "--pdeathsig", "INT", "--"] if self.owner else []
        self.server = Started([*owner, *command], folder.parent / "postgres.log", end=signal.SIGINT, cwd=folder)
        self._wait()
        self.version = subprocess.run([self.bin / "postgres", "--version"], capture_output=True, text=True).stdout.strip()

    def _owner(self) -> list[str]:
        """What to put before a command: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return []
        names = {user.pw_name: user for user in pwd.getpwall()}
        owner = names.get("postgres") or names["nobody"]
        for path in [self.folder, *self.folder.iterdir()]:
            os.chown(path, owner.pw_uid, owner.pw_gid)
        return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--"]

    def _run(self, *command: str) -> None:
        done = subprocess.run([*self.owner, *command], capture_output=True, text=True, cwd=self.folder)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def _wait(self) -> None:
        """Until the server says so itself, in line 8 of its file."""
        for _ in range(600):
            self.server.check()
            try:
                lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
            except FileNotFoundError:
                lines = []
            if len(lines) >= 8 and lines[7].startswith("ready"):
                return
            time.sleep(0.1)
        raise RuntimeError("PostgreSQL did not start")

    def url(self, database: str = "postgres") -> str:
        return f"postgres://tidemark:{self.password}@127.0.0.1:{self.port}/{database}"

    def client(self, sql: str, database: str) -> tuple[list[str], dict[str, str]]:
        """The command that runs statements, and its environment."""
        command = [str(self.bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port)]
        return [*command, "-U", "tidemark", "-d", database, "-c", sql], {**os.environ, "PGPASSWORD": self.password}

    def psql(self, sql: str, database: str = "postgres", source: Path | None = None) -> str:
        """What statements answer; `source` is what they copy in."""
        command, environment = self.client(sql, database)
        with (source or Path(os.devnull)).open("rb") as given:
            done = subprocess.run(command, env=environment, stdin=given, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr}")
        return done.stdout.strip()

    def create(self, database: str) -> str:
        """A new empty database; its URL."""
        if not re.fullmatch(r"[a-z_0-9]+", database):
            raise ValueError(database)
        self.psql(f"CREATE DATABASE {database}")
        return self.url(database)

    def settings(self) -> str:
        names = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")
        return ", ".join(f"{name} = {self.psql(f'SHOW {name}')}" for name in names)

    def stop(self) -> None:
        self.server.stop()
