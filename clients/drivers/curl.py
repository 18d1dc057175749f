"""curl, one process a request."""

import json
import subprocess
from pathlib import Path

from running import environment

from .driver import CutShort, Driver, Page, Refused, read_page


class Curl(Driver):
    name = "curl"
    cut_short = CutShort

    def _run(self, path: str, *arguments: str | Path) -> bytes:
        command = ["curl", "--silent", "--show-error", "--cacert", self.ca, "--max-time", "60"]
        command += ["--header", f"Authorization: Bearer {self.key}", "--write-out", "%{stderr}%{http_code}"]
        done = subprocess.run([*command, *arguments, self.url + path], env=environment(), capture_output=True)
        # No answer, a part of one, an error of the stream: by the version of HTTP and of curl, and by the place of the cut.
        if done.returncode in (16, 18, 52, 56, 92):
            raise CutShort(done.stderr.decode())
        assert done.returncode == 0, done.stderr.decode()
        status = int(done.stderr)
        if status >= 400:
            raise Refused(status, json.loads(done.stdout))
        return done.stdout

    def submit(self, authorizers: list[dict]) -> str:
        body = self.folder / "body.json"
        body.write_text(json.dumps({"authorizers": authorizers}))
        header = ("--header", "Content-Type: application/json")
        return json.loads(self._run("/v1/balance_requests", *header, "--data-binary", f"@{body}"))["batch_id"]

    def submit_csv(self, path: Path) -> str:
        # curl itself tells from the name that the part is text/csv or not.
        return json.loads(self._run("/v1/balance_requests/csv", "--form", f"file=@{path}"))["batch_id"]

    def status(self, batch_id: str) -> dict:
        return json.loads(self._run(f"/v1/balance_requests/{batch_id}"))

    def page(self, batch_id: str, limit: int, token: str | None) -> Page:
        query = ["--get", "--data", f"batchId={batch_id}", "--data", f"limit={limit}"]
        if token is not None:
            query += ["--data-urlencode", f"next_page_token={token}"]
        return read_page(self._run("/v1/balances", *query))

    def export(self, batch_ids: list[str], path: Path) -> int:
        headers = self.folder / "headers"
        query = "&".join(f"batch_ids={one}" for one in batch_ids)
        self._run(f"/v1/balances/csv?{query}", "--dump-header", headers, "--output", path)
        told = dict(line.lower().split(": ", 1) for line in headers.read_text().splitlines() if ": " in line)
        return int(told["tidemark-row-count"])
