"""The rules of a submission, as pydantic models: the same fields and the same judgements as Tidemark's domain.

Shapes are left to pydantic-core (patterns over TypedDict, its fastest form, straight from the JSON text). What
needs two fields of a row, or the rows before it, is judged once a row in `read`, where the row's columns are
made anyway. Every fault of every row is reported, as Tidemark does.
"""

import datetime
import functools
from typing import Annotated, Any, NamedTuple

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

MAX_AUTHORIZERS = 1_000
MAX_BATCH_KEYS = 200
DISCOVER = "031100649"
UNPRINTABLE = r"\p{Cc}\u{2028}\u{2029}\u{feff}\u{202a}-\u{202e}\u{2066}-\u{2069}"


def _text(pattern: str) -> Any:
    """A trimmed text of this form; an empty one counts as not sent."""
    return Annotated[str, StringConstraints(strip_whitespace=True, pattern=rf"^(?:{pattern})?$")] | None


UniqueId = Annotated[
    str,
    StringConstraints(max_length=255, pattern=rf"^[^\s=+\-@{UNPRINTABLE}](?:[^{UNPRINTABLE}]*[^\s{UNPRINTABLE}])?$"),
]
Trimmed = Annotated[str, StringConstraints(strip_whitespace=True)] | None
Zip = _text(r"[0-9]{5}(?:-[0-9]{4})?")
Phone = _text(r"(?:\+1)?[0-9]{10}")
Ssn = _text(r"[0-9]{9}|[0-9]{3}-[0-9]{2}-[0-9]{4}")
Ein = _text(r"[0-9]{9,10}|[0-9]{2}-[0-9]{7}")
Routing = _text(r"[0-9]{9}")
AccountNumber = Annotated[str, StringConstraints(strip_whitespace=True, max_length=34)] | None
Card = _text(r"[0-9]{13,19}")
Cvv = _text(r"[0-9]{3,4}")
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{0,4}$")] | Annotated[int, Field(ge=0, le=9999)] | None
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=rf"^[^{UNPRINTABLE}]+$")]
MetadataValue = Annotated[
    Annotated[str, StringConstraints(max_length=2_000)] | bool | int | float | None, Field(union_mode="left_to_right")
]


class Address(TypedDict, total=False):
    street_address_line1: Trimmed
    street_address_line2: Trimmed
    city: Trimmed
    state: Trimmed
    zip_code: Zip
    country: Trimmed


class BirthDate(TypedDict, total=False):
    day: Digits
    month: Digits
    year: Digits


class Authorizer(TypedDict, total=False):
    authorizer_unique_id: UniqueId
    first_name: Trimmed
    last_name: Trimmed
    address: Address | None
    zip_code: Zip
    phone_number: Phone
    date_of_birth: BirthDate | None
    ssn: Ssn
    ein: Ein
    account_number: AccountNumber
    routing_number: Routing
    debit_card_number: Card
    cvv: Cvv
    expiration_month: Digits
    expiration_year: Digits
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)] | None


class Submission(TypedDict, total=False):
    authorizers: Annotated[list[Authorizer], Field(min_length=1, max_length=MAX_AUTHORIZERS)]
    webhook_url: Annotated[str, StringConstraints(max_length=2_048, pattern=r"^https?://[^\s/]")] | None


class Loose(TypedDict, total=False):
    """A submission with its rows unjudged, for when one of them is wrong."""

    authorizers: Annotated[list[Any], Field(min_length=1, max_length=MAX_AUTHORIZERS)]
    webhook_url: Annotated[str, StringConstraints(max_length=2_048, pattern=r"^https?://[^\s/]")] | None


SUBMISSION = TypeAdapter(Submission)
LOOSE = TypeAdapter(Loose)
AUTHORIZER = TypeAdapter(Authorizer)


class Row(NamedTuple):
    """An accepted authorizer: what the provider is told, and what exports show."""

    row_no: int
    unique_id: str
    first_name: str | None
    last_name: str | None
    address: dict[str, str] | None
    zip_code: str | None
    phone: str | None
    date_of_birth: datetime.date | None
    ssn: str | None
    ein: str | None
    routing_number: str | None
    account_number: str | None
    card_number: str | None
    card_expiry: str | None
    metadata: dict[str, str] | None


class Batch(NamedTuple):
    rows: list[Row]
    failed: list[dict[str, Any]]
    warnings: list[str]
    webhook_url: str | None


@functools.lru_cache(maxsize=4096)
def is_valid_aba(number: str) -> bool:
    """The ABA checksum, which few distinct numbers of a batch have to pass."""
    weighted = sum(int(digit) * weight for digit, weight in zip(number, (3, 7, 1) * 3, strict=True))
    return weighted > 0 and weighted % 10 == 0


def _failure(row_no: int, row: Any, faults: list[tuple[str, str]]) -> dict[str, Any]:
    unique_id = row.get("authorizer_unique_id") if isinstance(row, dict) else None
    return {
        "authorizer_unique_id": unique_id if isinstance(unique_id, str) else None,
        "error": "; ".join(f"{field} {rule}" for field, rule in faults),
        "row_number": row_no,
        "errors": [{"field": field, "message": f"{field} {rule}"} for field, rule in faults],
    }


def _birth_date(parts: dict[str, Any], today: datetime.date) -> datetime.date:
    date = datetime.date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
    if not 1900 <= date.year or date > today:
        raise ValueError
    return date


def _card_faults(row: dict[str, Any], cards: bool) -> list[tuple[str, str]]:
    faults = [] if cards else [("debit_card_number", "cannot be used: debit cards are not approved")]
    faults += [(name, "is required") for name in ("cvv", "expiration_month", "expiration_year") if not row.get(name)]
    if (month := row.get("expiration_month")) and not 1 <= int(month) <= 12:
        faults.append(("expiration_month", "must be 1 to 12"))
    if (year := row.get("expiration_year")) and not 1000 <= int(year) <= 9999:
        faults.append(("expiration_year", "must be 4 digits"))
    return faults


class _Reader:
    """Judges the rows of one submission in order."""

    def __init__(self, cards: bool, today: datetime.date) -> None:
        self.cards = cards
        self.today = today
        self.seen: set[str] = set()
        self.keys: set[str] = set()

    def row(self, row_no: int, row: dict[str, Any]) -> Row | list[tuple[str, str]]:
        get = row.get
        faults: list[tuple[str, str]] = []
        unique_id = get("authorizer_unique_id")
        if unique_id is None:
            faults.append(("authorizer_unique_id", "is required"))
        elif unique_id in self.seen:
            faults.append(("authorizer_unique_id", "stands in an earlier row already"))
        else:
            self.seen.add(unique_id)
        address, phone, ssn, ein = get("address"), get("phone_number"), get("ssn"), get("ein")
        account, routing, card = get("account_number"), get("routing_number"), get("debit_card_number")
        zip_code = (address.pop("zip_code", None) if address else None) or get("zip_code")
        if not ssn and not ein:
            faults.append(("ssn", "or ein is required"))
        if account and card:
            faults.append(("account_number", "and debit_card_number exclude each other"))
        elif account:
            if not routing:
                faults.append(("routing_number", "is required"))
        elif not card:
            faults.append(("account_number", "with routing_number, or debit_card_number, is required"))
        if card:
            faults += _card_faults(row, self.cards)
        if routing == DISCOVER and not zip_code:
            faults.append(("zip_code", "is required for routing number 031100649"))
        birth = None
        if (parts := get("date_of_birth")) and any(parts.values()):
            try:
                birth = _birth_date(parts, self.today)
            except (ValueError, TypeError, KeyError):
                faults.append(("date_of_birth", "must be a real date, from 1900 to today"))
        metadata = None
        if sent := get("metadata"):
            metadata = {k: v if type(v) is str else str(v) for k, v in sent.items() if v is not None and v != ""}
            if not faults and not metadata.keys() <= self.keys:
                if len(self.keys | metadata.keys()) > MAX_BATCH_KEYS:
                    faults.append(("metadata", "has keys beyond the 200 distinct ones that a batch may have"))
                else:
                    self.keys |= metadata.keys()
        if faults:
            return faults
        return Row(
            row_no, unique_id, get("first_name") or None, get("last_name") or None, address or None,
            zip_code or None, phone[-10:] if phone else None, birth, ssn.replace("-", "") if ssn else None,
            ein.replace("-", "") if ein else None, routing or None, account or None, card or None,
            f"{get('expiration_year')}-{get('expiration_month')}" if card else None, metadata or None,
        )  # fmt: skip


def read(body: bytes, cards: bool, today: datetime.date) -> Batch:
    """Judges a submission; raises ValidationError where it is refused as a whole."""
    shaped: dict[int, list[tuple[str, str]]] = {}
    try:
        submission = SUBMISSION.validate_json(body)
        rows: list[Any] = submission.get("authorizers") or []
    except ValidationError:
        submission = LOOSE.validate_json(body)
        rows = []
        for row_no, row in enumerate(submission.get("authorizers") or [], 1):
            try:
                rows.append(AUTHORIZER.validate_python(row))
            except ValidationError as error:
                rows.append(row)
                shaped[row_no] = [(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_input=False)]
    reader = _Reader(cards, today)
    accepted: list[Row] = []
    failed, warnings = [], []
    for row_no, row in enumerate(rows, 1):
        read_row = shaped.get(row_no) or reader.row(row_no, row)
        if isinstance(read_row, list):
            failed.append(_failure(row_no, row, read_row))
            continue
        accepted.append(read_row)
        if read_row.routing_number and not is_valid_aba(read_row.routing_number):
            warnings.append(f"Row {row_no}: the check digit of routing_number is wrong.")
    return Batch(accepted, failed, warnings, submission.get("webhook_url"))
