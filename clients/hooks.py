"""What Schemathesis cannot know from the document: files that are CSV, ids of batches that are there, keys used once."""

import itertools
import os

import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode

# One that stands here more often is drawn more often.
BATCHES = os.environ["TIDEMARK_BATCHES"].split(",")

COLUMNS = ("authorizer_unique_id", "phone_number", "ssn", "ein", "account_number", "routing_number", "meta_ref")
CELLS = st.sampled_from(
    ["", " ", "a", "loan-1", "5125550142", "000-12-3456", "00-1234567", "BAL2843.51", "44179001", "026009593"]
    + ['"', '"quoted, cell"', '"line\nbreak"', "é", "\x00", "=1+1", "x" * 300]
)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def table(delimiter: str, end: str):
    header = st.lists(st.sampled_from([*COLUMNS, "other", "META_x"]), max_size=8)
    good = st.just(list(COLUMNS))
    record = st.lists(CELLS, max_size=8)
    lines = st.tuples(st.one_of(good, header), st.lists(record, max_size=5))
    return lines.map(lambda both: end.join(delimiter.join(line) for line in [both[0], *both[1]]))


def good_table():
    def lines(rows: list[int]) -> str:
        people = [f"loan-{row},5125550142,000123456,,4417{row:06},026009593,R{row}" for row in rows]
        return "\n".join([",".join(COLUMNS), *people])

    return st.lists(st.integers(0, 999_999), min_size=1, max_size=20).map(lines)


files = st.one_of(
    good_table(),
    st.tuples(st.sampled_from([",", ";", "\t"]), LINE_ENDS).flatmap(lambda both: table(*both)),
    st.text(max_size=200),
).map(lambda text: text.encode("utf-8", "surrogatepass"))

schemathesis.openapi.media_type("text/csv", files)
schemathesis.openapi.format("uuid", st.one_of(st.sampled_from(BATCHES), st.uuids().map(str)))

numbers = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    use_key_once(case)
    if case.meta.generation.mode is GenerationMode.POSITIVE and case.media_type == "application/json":
        keep_unwritten_rules(case.body)


def keep_unwritten_rules(body: dict) -> None:
    """What a schema cannot say, of data that shall be right. Data that may be wrong stays as it was made up."""
    # What a URL is, a parser says and no pattern.
    if body.get("webhook_url"):
        body["webhook_url"] = "https://example.com/hooks/tidemark"
    for person in body.get("authorizers", []):
        # Which dates are real and past, no schema says.
        if isinstance(person.get("date_of_birth"), dict):
            person["date_of_birth"] = {"day": 29, "month": "2", "year": 2004}


def use_key_once(case) -> None:
    """The document's example is one key; a second submission with it would only ever be a conflict."""
    key = (case.headers or {}).get("Idempotency-Key")
    if key is not None and key == documented_key(case.operation) and (number := next(numbers)) % 4 > 0:
        case.headers["Idempotency-Key"] = f"{key}-{number}"


def documented_key(operation) -> str | None:
    for parameter in operation.definition.raw.get("parameters", []):
        if parameter.get("name") == "Idempotency-Key":
            examples = parameter.get("examples", {}).values()
            return parameter.get("example") or next((one.get("value") for one in examples), None)
    return None
