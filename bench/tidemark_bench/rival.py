"""Starting the rival: FastAPI on uvicorn, over asyncpg, in `bench/rival`."""

import secrets
import subprocess
import sys
from pathlib import Path

from .bench import Bench
from .load import Target
from .paths import BENCH, CACHE
from .postgres import free_port
from .processes import Started
from .tidemark import environment

REQUIREMENTS = BENCH / "requirements.txt"
FOLDER = BENCH / "rival"
VENV = CACHE / "venv"
PYTHON = VENV / "bin" / "python"


def install() -> None:
    """The rival's packages, in a virtual environment that is made again when their list changes."""
    stamp = VENV / "installed"
    wanted = REQUIREMENTS.read_text() + sys.version
    if stamp.exists() and stamp.read_text() == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)], check=True)
    stamp.write_text(wanted)


def new_key() -> str:
    return f"rv_live_{secrets.token_urlsafe(32)}"


def versions() -> str:
    """The requirements, which name exact versions, on one line."""
    return ", ".join(line for line in REQUIREMENTS.read_text().splitlines() if line and line[0] not in "#-")


class Rival:
    """One application with a number of worker processes."""

    def __init__(
        self, bench: Bench, name: str, app: str, settings: dict[str, str], *, workers: int, cert: tuple[Path, Path]
    ):
        self.ca = cert[0]
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        command = [
            str(PYTHON), "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port),
            "--loop", "uvloop", "--http", "httptools", "--workers", str(workers), "--no-access-log",
            "--ssl-certfile", str(cert[0]), "--ssl-keyfile", str(cert[1]), "--timeout-keep-alive", "600",
        ]  # fmt: skip
        settings = environment() | {"PYTHONDONTWRITEBYTECODE": "1"} | settings
        self.server = Started(command, bench.folder / f"{name}.log", cwd=FOLDER, env=settings)
        bench.stack.callback(self.server.stop)
        self.server.wait_for("Application startup complete")

    @property
    def pid(self) -> int:
        return self.server.pid

    def target(self) -> Target:
        return Target(self.url, self.ca, self.key)


class Submissions(Rival):
    """One variant of what takes submissions, on a database of its own in the same PostgreSQL."""

    def __init__(self, bench: Bench, name: str, *, sealed: bool, workers: int, cert: tuple[Path, Path]):
        self.key = new_key()
        settings = {
            "RIVAL_DATABASE_URL": bench.postgres.create(name.replace("-", "_")),
            "RIVAL_SEALED": secrets.token_hex(32) if sealed else "",
        }
        variant = "sealed" if sealed else "plain"
        command = [PYTHON, "schema.py", variant, self.key]
        subprocess.run(command, cwd=FOLDER, env=environment() | settings, check=True)
        super().__init__(bench, name, "server:app", settings, workers=workers, cert=cert)


class Exports(Rival):
    """What streams exports, from a database that has its tables already (see `export_tables`)."""

    def __init__(self, bench: Bench, name: str, database_url: str, key: str, cert: tuple[Path, Path]):
        self.key = key
        super().__init__(bench, name, "exports:app", {"RIVAL_DATABASE_URL": database_url}, workers=1, cert=cert)
