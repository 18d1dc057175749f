"""The rival: what a good engineer would write for the same endpoint with FastAPI, asyncpg and COPY.

`POST /v1/balance_requests` takes up to 1,000 authorizers, judges every row, and answers 201 after one
transaction has committed the idempotency row, the batch and all its authorizers. Run by uvicorn with uvloop and
httptools. `RIVAL_DATABASE_URL` names the database. `RIVAL_SEALED` is empty, or a 32-byte key in hexadecimal:
then everything private of a row is sealed with AES-256-GCM, since Tidemark never stores it in the clear.
"""

import contextlib
import datetime
import hashlib
import hmac
import os
import uuid
from collections.abc import AsyncIterator

import asyncpg
import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import FastAPI, Request, Response
from pydantic import ValidationError

import rules

SEALED = os.environ.get("RIVAL_SEALED", "")
MAX_BODY = 16 << 20

PLAIN_COLUMNS = (
    "batch_id", "requester_id", "due_at", "row_no", "unique_id", "first_name", "last_name", "address", "zip_code",
    "phone", "date_of_birth", "ssn", "ein", "routing_number", "account_number", "card_number", "card_expiry",
    "metadata",
)  # fmt: skip
SEALED_COLUMNS = ("batch_id", "requester_id", "due_at", "row_no", "unique_id_hash", "private")

CALLER = "SELECT requester_id, cards FROM api_keys WHERE secret_hash = $1 AND revoked_at IS NULL"
REMEMBER = (
    "INSERT INTO idempotency (requester_id, body_hash, batch_id, reply, expires_at) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT DO NOTHING RETURNING 1"
)
REPLAY = "SELECT reply FROM idempotency WHERE requester_id = $1 AND body_hash = $2"
BATCH = (
    "INSERT INTO batches (batch_id, requester_id, submitted_at, total_authorizers, webhook_url)"
    " VALUES ($1, $2, $3, $4, $5)"
)

pool: asyncpg.Pool
cipher = AESGCM(bytes.fromhex(SEALED)) if SEALED else None


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global pool
    pool = await asyncpg.create_pool(os.environ["RIVAL_DATABASE_URL"], min_size=8, max_size=8)
    yield
    await pool.close()


app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)


def problem(status: int, code: str, message: str, **details: object) -> Response:
    error = {"status": "error", "error": {"code": code, "message": message, **details}}
    return Response(orjson.dumps(error), status, media_type="application/json")


def plain_records(batch_id: uuid.UUID, requester_id: uuid.UUID, now: datetime.datetime, rows: list[rules.Row]) -> list:
    """The rows as COPY takes them; JSON columns travel as text."""
    head, dumps = (batch_id, requester_id, now), orjson.dumps
    return [
        (*head, *row[:4], dumps(row.address).decode() if row.address else None, *row[5:14],
         dumps(row.metadata).decode() if row.metadata else None)
        for row in rows
    ]  # fmt: skip


def sealed_records(batch_id: uuid.UUID, requester_id: uuid.UUID, now: datetime.datetime, rows: list[rules.Row]) -> list:
    """The same with all private values in one sealed column, bound to its batch and row."""
    assert cipher is not None
    key, place = bytes.fromhex(SEALED), batch_id.bytes
    nonces = os.urandom(12 * len(rows))
    records = []
    for at, row in enumerate(rows):
        nonce = nonces[12 * at : 12 * at + 12]
        text = orjson.dumps(row[1:])
        private = nonce + cipher.encrypt(nonce, text, place + row.row_no.to_bytes(4))
        unique_id_hash = hmac.digest(key, row.unique_id.encode(), "sha256")
        records.append((batch_id, requester_id, now, row.row_no, unique_id_hash, private))
    return records


@app.post("/v1/balance_requests")
async def submit(request: Request) -> Response:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return problem(401, "UNAUTHORIZED", "An API key is required.")
    if int(request.headers.get("content-length", 0)) > MAX_BODY:
        return problem(413, "PAYLOAD_TOO_LARGE", "The body is too large.")
    body = await request.body()
    async with pool.acquire() as connection:
        caller = await connection.fetchrow(CALLER, hashlib.sha256(key.encode()).digest())
        if caller is None:
            return problem(401, "UNAUTHORIZED", "The API key is not valid.")
        requester_id = caller["requester_id"]
        now = datetime.datetime.now(datetime.UTC)
        try:
            batch = rules.read(body, caller["cards"], now.date())
        except ValidationError as error:
            faults = orjson.loads(error.json(include_input=False, include_url=False))
            return problem(400, "BAD_REQUEST", "The body is not valid.", details=faults)
        if not batch.rows:
            return problem(422, "VALIDATION_FAILED", "No authorizer is valid.", failed_authorizers=batch.failed)
        batch_id = uuid.uuid4()
        reply = orjson.dumps({
            "batch_id": str(batch_id), "submitted_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "message": "Batch has been successfully submitted and is pending processing.",
            "failed_authorizers": batch.failed, "warnings": batch.warnings,
        })  # fmt: skip
        records = (sealed_records if cipher else plain_records)(batch_id, requester_id, now, batch.rows)
        body_hash = hashlib.sha256(body).digest()
        async with connection.transaction():
            expires_at = now + datetime.timedelta(hours=24)
            remembered = (requester_id, body_hash, batch_id, reply, expires_at)
            if await connection.fetchval(REMEMBER, *remembered) is None:
                known = await connection.fetchval(REPLAY, requester_id, body_hash)
                return Response(known, 201, {"idempotent-replayed": "true"}, "application/json")
            await connection.execute(BATCH, batch_id, requester_id, now, len(batch.rows), batch.webhook_url)
            await connection.copy_records_to_table(
                "authorizers", records=records, columns=SEALED_COLUMNS if cipher else PLAIN_COLUMNS
            )
    return Response(reply, 201, media_type="application/json")
