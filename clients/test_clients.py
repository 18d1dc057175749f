"""Clients that nobody here wrote, at work from the submission to the last row of the export."""

import csv
import time
from decimal import Decimal

import pytest

import sample
from cut import BrokenLine
from drivers import DRIVERS, Driver, Refused

PATIENCE = 60


@pytest.fixture(scope="module", params=DRIVERS, ids=lambda driver: driver.name)
def client(request, server, tmp_path_factory) -> Driver:
    return request.param(server, server.new_key(), tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def batch(client) -> str:
    """A batch that the client itself submitted and saw complete."""
    return completed(client, client.submit(sample.authorizers()))


def completed(client: Driver, batch_id: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while client.status(batch_id)["status"] != "COMPLETED":
        assert time.monotonic() < deadline, "the batch does not complete"
        time.sleep(0.1)
    return batch_id


def test_submits_a_batch_as_json_and_sees_it_complete(client, batch):
    status = client.status(batch)
    people = [sample.expected(one) for one in sample.authorizers()]
    counts = {kind: sum(one.status == kind for one in people) for kind in {one.status for one in people}}
    assert status["total_authorizers"] == status["total_processed"] == len(people)
    assert status["statuses"] == counts


def test_pages_through_the_balances(client, batch):
    everyone = {one.authorizer_id: one for one in map(sample.expected, sample.authorizers())}
    limit, token, seen, pages = 40, None, {}, 0
    while True:
        balances, has_more, token = client.page(batch, limit, token)
        pages += 1
        for authorizer_id, balance, code in balances:
            assert authorizer_id not in seen
            seen[authorizer_id] = (balance, code)
        assert has_more == (token is not None)
        if not has_more:
            break
        assert len(balances) == limit
    assert pages == -(-len(everyone) // limit)
    assert seen == {authorizer_id: (one.balance, one.code) for authorizer_id, one in everyone.items()}


def test_exports_the_csv_and_every_row_is_right(client, batch, tmp_path):
    promised = client.export([batch], tmp_path / "export.csv")
    check_export(tmp_path / "export.csv", promised, batch, [sample.expected(one) for one in sample.authorizers()])


def test_submits_a_batch_as_csv_and_exports_it(client, tmp_path):
    people = [one for one in sample.authorizers() if "phone_number" in one]
    sample.write_csv(tmp_path / "people.csv", people)
    batch = completed(client, client.submit_csv(tmp_path / "people.csv"))
    promised = client.export([batch], tmp_path / "export.csv")
    everyone = [sample.expected(one) for one in people]
    for one in everyone:
        # The cells of a submitted file are trimmed.
        one.metadata = {key: value.strip() for key, value in one.metadata.items()}
    check_export(tmp_path / "export.csv", promised, batch, everyone)


def test_exports_two_batches_as_one_file(client, batch, tmp_path):
    few = sample.authorizers()[:3]
    other = completed(client, client.submit(few))
    promised = client.export([batch, other], tmp_path / "both.csv")
    rows = read(tmp_path / "both.csv")
    assert promised == len(rows) == len(sample.authorizers()) + 3
    assert [row["Batch ID"] for row in rows] == [batch] * (promised - 3) + [other] * 3


def test_is_told_what_was_wrong(client):
    with pytest.raises(Refused) as refused:
        client.submit([{"authorizer_unique_id": "a", "ssn": "000-00-000"}])
    assert (refused.value.status, refused.value.code) == (400, "VALIDATION_FAILED")
    with pytest.raises(Refused) as refused:
        client.status("00000000-0000-7000-8000-000000000000")
    assert (refused.value.status, refused.value.code) == (403, "FORBIDDEN")


@pytest.mark.parametrize("share", [0.6, 0.8, 0.95])
def test_takes_no_part_of_an_export_for_the_whole(client, batch, tmp_path, share):
    with BrokenLine(client.url, 10**9) as line:
        through(client, line, tmp_path).export([batch], tmp_path / "whole.csv")
    with BrokenLine(client.url, int(line.passed * share)) as line:
        cut = through(client, line, tmp_path)
        with pytest.raises(cut.cut_short):
            cut.export([batch], tmp_path / "cut.csv")


def through(client: Driver, line: BrokenLine, folder) -> Driver:
    """The same client, at the near end of a line."""
    other = type(client)(client.server, client.key, folder)
    other.url = line.url
    return other


def read(path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def check_export(path, promised: int, batch: str, everyone: list[sample.Result]) -> None:
    rows = read(path)
    assert promised == len(rows) == len(everyone)
    keys = sorted({key for one in everyone for key in one.metadata}, key=str.encode)
    columns = [*sample.FIXED, *(f"meta_{key}" for key in keys)]
    for row, one in zip(rows, everyone, strict=True):
        assert list(row) == columns
        time.strptime(row.pop("Timestamp"), "%Y-%m-%dT%H:%M:%S+00:00")
        metadata = {key: value for key in keys if (value := row.pop(f"meta_{key}"))}
        assert metadata == {key: value for key, value in one.metadata.items() if value}
        assert row == {
            "Authorizer ID": one.authorizer_id,
            "Batch ID": batch,
            "Institution": one.institution,
            "Phone": one.phone,
            "Zip": one.zip_code,
            "Balance": "" if one.balance is None else str(one.balance.quantize(Decimal("0.01"))),
            "Status": one.status,
            "Creator": "",
        }
