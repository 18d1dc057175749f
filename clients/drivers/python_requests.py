"""Python's requests."""

from pathlib import Path

import requests

from .driver import Driver, Page, Refused, read_page


class Requests(Driver):
    name = "requests"
    # While the body came, or before its beginning.
    cut_short = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)

    def _ask(self, method: str, path: str, **options) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        response = requests.request(
            method, self.url + path, headers=headers, verify=str(self.ca), timeout=60, **options
        )
        if not response.ok:
            raise Refused(response.status_code, response.json())
        return response

    def submit(self, authorizers: list[dict]) -> str:
        return self._ask("POST", "/v1/balance_requests", json={"authorizers": authorizers}).json()["batch_id"]

    def submit_csv(self, path: Path) -> str:
        with path.open("rb") as file:
            return self._ask("POST", "/v1/balance_requests/csv", files={"file": file}).json()["batch_id"]

    def status(self, batch_id: str) -> dict:
        return self._ask("GET", f"/v1/balance_requests/{batch_id}").json()

    def page(self, batch_id: str, limit: int, token: str | None) -> Page:
        query = {"batchId": batch_id, "limit": limit, "next_page_token": token}
        return read_page(self._ask("GET", "/v1/balances", params=query).content)

    def export(self, batch_ids: list[str], path: Path) -> int:
        query = [("batch_ids", one) for one in batch_ids]
        with self._ask("GET", "/v1/balances/csv", params=query, stream=True) as response, path.open("wb") as file:
            for chunk in response.iter_content(8192):
                file.write(chunk)
        return int(response.headers["Tidemark-Row-Count"])
