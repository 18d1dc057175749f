"""The rival for exports: what a good engineer would write with FastAPI and asyncpg for the same download.

`GET /v1/balances/csv?batch_ids=…` streams the results of any of the caller's batches as one CSV file, from plain
normalised tables: a server-side cursor, some thousand rows a fetch, which PostgreSQL renders as text and csv.writer
as lines. `RIVAL_DATABASE_URL` names the database; `tidemark_bench/export_tables.py` makes its tables.
"""

import contextlib
import csv
import hashlib
import io
import os
import uuid
from collections.abc import AsyncIterator

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

FETCHED = 2_000
CHUNK = 64 << 10

FIXED = ("Authorizer ID", "Batch ID", "Institution", "Phone", "Zip", "Balance", "Status", "Creator", "Timestamp")
CALLER = "SELECT requester_id FROM api_keys WHERE secret_hash = $1"
BATCHES = "SELECT count(*), sum(total_processed) FROM batches WHERE requester_id = $1 AND batch_id = ANY($2::uuid[])"
KEYS = """
SELECT key FROM (SELECT DISTINCT key FROM batches JOIN authorizers USING (batch_no), jsonb_object_keys(metadata) AS key
WHERE batch_id = ANY($1::uuid[])) AS keys ORDER BY key COLLATE "C"
"""
ROWS = """
SELECT a.unique_id, b.batch_id::text, i.name, '+1' || a.phone, a.zip, r.balance::text, r.status, b.creator,
       replace((r.recorded_at AT TIME ZONE 'UTC')::text, ' ', 'T') || '+00:00'{keys}
FROM batches b JOIN authorizers a USING (batch_no) JOIN results r USING (authorizer_id)
     LEFT JOIN institutions i USING (institution_no)
WHERE b.batch_id = ANY($1::uuid[])
"""

pool: asyncpg.Pool


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global pool
    pool = await asyncpg.create_pool(os.environ["RIVAL_DATABASE_URL"], min_size=2, max_size=8)
    yield
    await pool.close()


app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)


async def lines(ids: list[uuid.UUID], keys: list[str]) -> AsyncIterator[bytes]:
    """The file in chunks, of one moment: the cursor's statement sees what was there when it began."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FIXED, *(f"meta_{key}" for key in keys)])
    sql = ROWS.format(keys="".join(f", a.metadata->>${place}::text" for place in range(2, 2 + len(keys))))
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        cursor = await connection.cursor(sql, ids, *keys)
        while rows := await cursor.fetch(FETCHED):
            writer.writerows(rows)
            if text.tell() >= CHUNK:
                yield text.getvalue().encode()
                text.seek(0)
                text.truncate()
    yield text.getvalue().encode()


@app.get("/v1/balances/csv")
async def export(request: Request) -> Response:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return Response(status_code=401)
    try:
        ids = [uuid.UUID(text) for text in request.query_params.getlist("batch_ids")]
    except ValueError:
        return Response(status_code=400)
    async with pool.acquire() as connection:
        requester_id = await connection.fetchval(CALLER, hashlib.sha256(key.encode()).digest())
        if requester_id is None:
            return Response(status_code=401)
        found, rows = await connection.fetchrow(BATCHES, requester_id, ids)
        if found != len(set(ids)):
            return Response(status_code=403)
        keys = [record["key"] for record in await connection.fetch(KEYS, ids)]
    headers = {"Tidemark-Row-Count": str(rows or 0)}
    return StreamingResponse(lines(ids, keys), headers=headers, media_type="text/csv; charset=utf-8")
