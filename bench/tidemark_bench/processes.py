"""Processes that this run starts, what they cost, and their end. Nothing is ever stopped by name."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Started:
    """One process with its children, with its output in a file."""

    def __init__(self, command: list[str], log: Path, *, end: signal.Signals = signal.SIGTERM, **options: object):
        self.log = log
        self.end = end
        # A session of its own, so that Ctrl-C reaches this program alone, which then ends them in order.
        # --pdeathsig ends them also where this program is killed and cannot.
        guarded = ["setpriv", "--pdeathsig", end.name[3:], "--", *command] if shutil.which("setpriv") else command
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                guarded, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, **options
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.process.args} ended:\n{self.log.read_text(errors='replace')[-3000:]}")

    def wait_for(self, text: str, seconds: float = 30) -> str:
        """The first line of the output with this text in it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check()
            for line in self.log.read_text(errors="replace").splitlines():
                if text in line:
                    return line
            time.sleep(0.02)
        raise RuntimeError(f"{self.process.args} did not say {text!r} within {seconds} s")

    def kill(self) -> None:
        """As a power cut would: no time for anything."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(self.end)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class Memory:
    """In MiB, summed over a process and its children."""

    resident: float
    anonymous: float
    peak: float


def tree(root: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, open_ends = [], [root]
    while open_ends:
        pid = open_ends.pop()
        found.append(pid)
        open_ends += children.get(pid, [])
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name, which may hold anything; None where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu_seconds(*roots: int) -> float:
    """What processes, their children and their ended children have used of CPUs."""
    ticks = 0
    for pid in {pid for root in roots for pid in tree(root)}:
        if fields := _stat(pid):
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def busy_seconds() -> float:
    """What all of the machine's CPUs have spent on anything (proc(5), stat: all but idle and iowait)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def memory(root: int) -> Memory:
    sums = dict.fromkeys(("VmRSS", "RssAnon", "VmHWM"), 0)
    for pid in tree(root):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in status.splitlines():
            name, _, value = line.partition(":")
            if name in sums:
                sums[name] += int(value.split()[0])
    return Memory(sums["VmRSS"] / 1024, sums["RssAnon"] / 1024, sums["VmHWM"] / 1024)


def reset_peak(root: int) -> None:
    """Makes VmHWM begin anew (proc(5), clear_refs)."""
    for pid in tree(root):
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            continue
