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


def versions() -> str:
    """The requirements, which name exact versions, on one line."""
    return ", ".join(line for line in REQUIREMENTS.read_text().splitlines() if line and line[0] not in "#-")


class Rival:
    """One variant with a number of worker processes, on a database of its own in the same PostgreSQL."""

    def __init__(self, bench: Bench, name: str, *, sealed: bool, workers: int, cert: tuple[Path, Path]):
        self.key = f"rv_live_{secrets.token_urlsafe(32)}"
        self.ca = cert[0]
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        settings = environment() | {
            "RIVAL_DATABASE_URL": bench.postgres.create(name.replace("-", "_")),
            "RIVAL_SEALED": secrets.token_hex(32) if sealed else "",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        folder = BENCH / "rival"
        variant = "sealed" if sealed else "plain"
        subprocess.run([PYTHON, "schema.py", variant, self.key], cwd=folder, env=settings, check=True)
        command = [
            str(PYTHON), "-m", "uvicorn", "server:app", "--host", "127.0.0.1", "--port", str(port),
            "--loop", "uvloop", "--http", "httptools", "--workers", str(workers), "--no-access-log",
            "--ssl-certfile", str(cert[0]), "--ssl-keyfile", str(cert[1]), "--timeout-keep-alive", "600",
        ]  # fmt: skip
        self.server = Started(command, bench.folder / f"{name}.log", cwd=folder, env=settings)
        bench.stack.callback(self.server.stop)
        self.server.wait_for("Application startup complete")

    @property
    def pid(self) -> int:
        return self.server.pid

    def target(self) -> Target:
        return Target(self.url, self.ca, self.key)


