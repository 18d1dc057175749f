"""A client for what is asked once in a while: where batches stand."""

import http.client
import json
import ssl
import time
import urllib.parse
from pathlib import Path
from typing import Any


class Client:
    """One keep-alive connection, opened again where it broke."""

    def __init__(self, url: str, ca: Path, key: str):
        self.host = urllib.parse.urlsplit(url).netloc
        self.key = key
        self.tls = ssl.create_default_context(cafile=str(ca))
        self.connection: http.client.HTTPSConnection | None = None

    def get(self, path: str) -> Any:
        for last in (False, True):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPSConnection(self.host, context=self.tls, timeout=20)
                self.connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
                answer = self.connection.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException):
                self.connection = None
                if last:
                    raise
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def batch(self, batch_id: str) -> dict[str, Any]:
        return self.get(f"/v1/balance_requests/{batch_id}")


def wait_completed(client: Client, batch_ids: list[str], seconds: float, pause: float = 0.25) -> None:
    """Until every batch is COMPLETED. Asks for one batch at a time, so that asking costs the server little."""
    end = time.monotonic() + seconds
    for batch_id in batch_ids:
        while client.batch(batch_id)["status"] != "COMPLETED":
            if time.monotonic() > end:
                raise RuntimeError(f"batch {batch_id} was not completed within {seconds} s")
            time.sleep(pause)


def recorded(client: Client, batch_ids: list[str]) -> int:
    """How many results are recorded in all of these batches."""
    return sum(client.batch(batch_id)["total_processed"] for batch_id in batch_ids)
