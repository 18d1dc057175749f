"""Node's fetch, one process a request: what it does is in fetch.mjs."""

import json
import subprocess
from pathlib import Path

from running import environment

from .driver import CutShort, Driver, Page, Refused, read_page

SCRIPT = Path(__file__).with_name("fetch.mjs")


class Fetch(Driver):
    name = "fetch"
    cut_short = CutShort

    def _run(self, task: str, **what) -> dict:
        own = environment(NODE_EXTRA_CA_CERTS=str(self.ca))
        order = {"task": task, "url": self.url, "key": self.key, **what}
        done = subprocess.run(
            ["node", SCRIPT], input=json.dumps(order).encode(), env=own, capture_output=True, timeout=60
        )
        # While the body came, or before its beginning.
        if b"TypeError: terminated" in done.stderr or b"TypeError: fetch failed" in done.stderr:
            raise CutShort(done.stderr.decode())
        assert done.returncode == 0, done.stderr.decode()
        answer = json.loads(done.stdout)
        if answer["status"] >= 400:
            raise Refused(answer["status"], json.loads(answer["text"]))
        return answer

    def submit(self, authorizers: list[dict]) -> str:
        return json.loads(self._run("submit", authorizers=authorizers)["text"])["batch_id"]

    def submit_csv(self, path: Path) -> str:
        return json.loads(self._run("submit_csv", path=str(path))["text"])["batch_id"]

    def status(self, batch_id: str) -> dict:
        return json.loads(self._run("status", batch_id=batch_id)["text"])

    def page(self, batch_id: str, limit: int, token: str | None) -> Page:
        return read_page(self._run("page", batch_id=batch_id, limit=limit, token=token)["text"])

    def export(self, batch_ids: list[str], path: Path) -> int:
        return int(self._run("export", batch_ids=batch_ids, path=str(path))["rows"])
