"""A client in Python that openapi-python-client makes from the server's own document; httpx does its requests."""

import importlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import uuid
from functools import cache
from http import HTTPStatus
from pathlib import Path

import httpx
import requests

from running import Server

from .driver import Driver, Page, Refused, read_page

PACKAGE = "tidemark_client"


@cache
def package(server: Server):
    """The package, generated and imported."""
    folder = Path(tempfile.mkdtemp(prefix="generated-", dir=server.data_dir.parent))
    document = folder / "openapi.json"
    document.write_bytes(requests.get(f"{server.url}/v1/openapi.json", verify=str(server.ca), timeout=60).content)
    programs = Path(sys.executable).parent
    command = [programs / "openapi-python-client", "generate", "--path", document, "--meta", "none"]
    command += ["--output-path", folder / PACKAGE, "--fail-on-warning"]
    # It formats what it made with a program beside it.
    own = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    return importlib.import_module(PACKAGE)


class Generated(Driver):
    name = "generated"
    # While the body came, or before its beginning.
    cut_short = (httpx.RemoteProtocolError, httpx.ReadError)

    def __init__(self, server: Server, key: str, folder: Path):
        super().__init__(server, key, folder)
        self.package = package(server)

    def _ask(self, operation: str, **arguments):
        """An operation by its module's name, with the whole answer."""
        module = importlib.import_module(f"{PACKAGE}.api.{operation}")
        trust = ssl.create_default_context(cafile=str(self.ca))
        client = self.package.AuthenticatedClient(
            base_url=self.url, token=self.key, verify_ssl=trust, timeout=httpx.Timeout(60)
        )
        with client:
            response = module.sync_detailed(client=client, **arguments)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise Refused(response.status_code, response.parsed.to_dict())
        return response

    def _models(self):
        return importlib.import_module(f"{PACKAGE}.models")

    def submit(self, authorizers: list[dict]) -> str:
        body = self._models().Submission.from_dict({"authorizers": authorizers})
        return str(self._ask("batches.submit_batch", body=body).parsed.batch_id)

    def submit_csv(self, path: Path) -> str:
        file_type = importlib.import_module(f"{PACKAGE}.types").File
        with path.open("rb") as file:
            part = file_type(payload=file, file_name=path.name, mime_type="text/csv")
            body = self._models().CsvSubmission(file=part)
            return str(self._ask("batches.submit_batch_csv", body=body).parsed.batch_id)

    def status(self, batch_id: str) -> dict:
        return self._ask("batches.get_batch", batch_id=uuid.UUID(batch_id)).parsed.to_dict()

    def page(self, batch_id: str, limit: int, token: str | None) -> Page:
        options = {} if token is None else {"next_page_token": token}
        response = self._ask("results.list_results", batch_id=uuid.UUID(batch_id), limit=limit, **options)
        # What it made of the answer, not the bytes.
        return read_page(json.dumps(response.parsed.to_dict()))

    def export(self, batch_ids: list[str], path: Path) -> int:
        response = self._ask("results.export_results", batch_ids=[uuid.UUID(one) for one in batch_ids])
        path.write_text(response.parsed, encoding="utf-8", newline="")
        return int(response.headers["Tidemark-Row-Count"])
