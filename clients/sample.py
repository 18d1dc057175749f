"""The sample batch, and what an export of it must say, computed here and not by the server."""

import csv
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from running import ROOT

# Accounts that the sandbox bank makes wait.
SLOW = ("9009", "9010", "9012", "9013")
ENDINGS = {
    "9001": ("NO_MATCH", 3400),
    "9002": ("NO_MATCH", 3000),
    "9003": ("NO_MATCH", 3001),
    "9004": ("NO_MATCH", 3100),
    "9005": ("ACCOUNT_CLOSED", 3200),
    "9006": ("BANK_UNSUPPORTED", 3300),
    "9007": ("BANK_UNSUPPORTED", 3310),
    "9008": ("RETRIEVAL_FAILED", 9000),
    "9011": ("PROCESSING_ERROR", 9000),
}
INSTITUTIONS = {
    "021000021": "JPMorgan Chase Bank",
    "021000089": "Citibank",
    "026009593": "Bank of America",
    "121000248": "Wells Fargo Bank",
    "031100649": "Discover Bank",
    "091000022": "U.S. Bank",
    "043000096": "PNC Bank",
    "031176110": "Capital One",
    "124003116": "Ally Bank",
    "256074974": "Navy Federal Credit Union",
}
FIXED = ("Authorizer ID", "Batch ID", "Institution", "Phone", "Zip", "Balance", "Status", "Creator", "Timestamp")


class Written(float):
    """A JSON number that remembers its text."""

    def __new__(cls, text: str):
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text


@dataclass
class Result:
    """What must come of one authorizer."""

    authorizer_id: str
    institution: str
    phone: str
    zip_code: str
    balance: Decimal | None
    status: str
    code: int
    metadata: dict[str, str]


def authorizers() -> list[dict]:
    """The sample without those who wait: the tests ask for every kind of client."""
    text = (ROOT / "examples" / "authorizers.json").read_text(encoding="utf-8")
    everyone = json.loads(text, parse_float=Written)["authorizers"]
    return [one for one in everyone if not one["account_number"].endswith(SLOW)]


def expected(authorizer: dict) -> Result:
    number, routing = authorizer["account_number"], authorizer["routing_number"]
    institution = INSTITUTIONS.get(routing, "")
    amount = re.fullmatch(r"BAL(-?\d+(?:\.\d{1,2})?)", number)
    balance = None
    if not institution:
        status, code = "BANK_UNSUPPORTED", 3300
    elif amount:
        status, code, balance = "SUCCESS", 0, Decimal(amount[1])
    elif number[-4:] in ENDINGS:
        status, code = ENDINGS[number[-4:]]
    else:
        status, code, balance = "SUCCESS", 0, derived_balance(number)
    phone = authorizer.get("phone_number", "")
    return Result(
        authorizer_id=authorizer["authorizer_unique_id"],
        institution=institution,
        phone="+1" + phone.removeprefix("+1") if phone else "",
        zip_code=authorizer.get("address", {}).get("zip_code") or authorizer.get("zip_code", ""),
        balance=balance,
        status=status,
        code=code,
        metadata={key: as_text(value) for key, value in authorizer.get("metadata", {}).items()},
    )


def as_text(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def derived_balance(number: str) -> Decimal:
    """The sandbox bank's balance of any other account: FNV-1a, the finaliser of SplitMix64, -500.00 to 10,000.00."""
    mask = (1 << 64) - 1
    mixed = 0xCBF29CE484222325
    for byte in number.encode():
        mixed = ((mixed ^ byte) * 0x100000001B3) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    mixed ^= mixed >> 31
    return Decimal(-50_000 + mixed % 1_050_001) / 100


def write_csv(path: Path, everyone: list[dict]) -> None:
    """The same people as a file that a spreadsheet might have made."""
    keys = sorted({key for one in everyone for key in one.get("metadata", {})})
    plain = ["authorizer_unique_id", "first_name", "last_name", "phone_number", "ssn", "ein"]
    plain += ["account_number", "routing_number"]
    address = ["street_address_line1", "street_address_line2", "city", "state", "country"]
    header = [*plain, "date_of_birth", *address, "zip_code", *(f"meta_{key}" for key in keys)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        for one in everyone:
            born, lives = one.get("date_of_birth"), one.get("address", {})
            row = {name: one.get(name, "") for name in plain}
            row |= {name: lives.get(name, "") for name in address}
            row["zip_code"] = lives.get("zip_code") or one.get("zip_code", "")
            row["date_of_birth"] = f"{born['month']}/{int(born['day']):02}/{born['year']}" if born else ""
            row |= {f"meta_{key}": as_text(value) for key, value in one.get("metadata", {}).items()}
            writer.writerow(row)
