"""What every client can do."""

import json
from decimal import Decimal
from pathlib import Path

from running import Server

# An authorizer's id, the balance, the code.
Balance = tuple[str, Decimal | None, int]
# The balances of a page, whether there are more, and the token of the next page.
Page = tuple[list[Balance], bool, str | None]


class Refused(Exception):
    """The server's own words for what it did not do."""

    def __init__(self, status: int, envelope: dict):
        super().__init__(f"{status} {envelope['error']['message']}")
        self.status = status
        self.code = envelope["error"]["code"]


class CutShort(Exception):
    """A client that runs as a program of its own said that its download did not come to its end."""


class Driver:
    name: str
    # What the client raises when a download is cut off.
    cut_short: type[Exception] | tuple[type[Exception], ...]

    def __init__(self, server: Server, key: str, folder: Path):
        self.server = server
        self.url = server.url
        self.ca = server.ca
        self.key = key
        self.folder = folder

    def submit(self, authorizers: list[dict]) -> str:
        """The new batch's id."""
        raise NotImplementedError

    def submit_csv(self, path: Path) -> str:
        """The new batch's id."""
        raise NotImplementedError

    def status(self, batch_id: str) -> dict:
        raise NotImplementedError

    def page(self, batch_id: str, limit: int, token: str | None) -> Page:
        raise NotImplementedError

    def export(self, batch_ids: list[str], path: Path) -> int:
        """Downloads to `path`; how many rows were promised."""
        raise NotImplementedError


def read_page(text: str | bytes) -> Page:
    page = json.loads(text, parse_float=Decimal, parse_int=int)
    balances = [(one["authorizer_unique_id"], one["balance"], one["balance_status_code"]) for one in page["balances"]]
    return balances, page["has_more"], page["next_page_token"]
