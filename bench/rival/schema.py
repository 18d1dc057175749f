"""Makes the rival's tables and one API key: `python schema.py plain|sealed KEY`.

Plain normalised tables with what the job needs: the primary keys, the queue of what is due, and the way to find
an authorizer again. Tidemark's tables have the same indexes.
"""

import asyncio
import hashlib
import os
import sys
import uuid

import asyncpg

SHARED = """
CREATE TABLE requesters (requester_id uuid PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE api_keys (
    secret_hash bytea PRIMARY KEY, requester_id uuid NOT NULL REFERENCES requesters, cards boolean NOT NULL,
    revoked_at timestamptz
);
CREATE TABLE batches (
    batch_id uuid PRIMARY KEY, requester_id uuid NOT NULL REFERENCES requesters, submitted_at timestamptz NOT NULL,
    completed_at timestamptz, total_authorizers integer NOT NULL, webhook_url text
);
CREATE INDEX ON batches (requester_id, submitted_at DESC);
CREATE TABLE idempotency (
    requester_id uuid NOT NULL, body_hash bytea NOT NULL, batch_id uuid NOT NULL, reply bytea NOT NULL,
    expires_at timestamptz NOT NULL, PRIMARY KEY (requester_id, body_hash)
);
"""

RESULT = "due_at timestamptz, status smallint, balance_cents bigint, recorded_at timestamptz"
PLACE = "batch_id uuid NOT NULL REFERENCES batches, row_no integer NOT NULL, requester_id uuid NOT NULL"

PLAIN = f"""
CREATE TABLE authorizers (
    {PLACE}, {RESULT}, unique_id text NOT NULL, first_name text, last_name text, address jsonb, zip_code text,
    phone text, date_of_birth date, ssn text, ein text, routing_number text, account_number text, card_number text,
    card_expiry text, metadata jsonb, PRIMARY KEY (batch_id, row_no)
);
CREATE INDEX ON authorizers (requester_id, unique_id);
CREATE INDEX ON authorizers (due_at) WHERE status IS NULL;
"""

SEALED = f"""
CREATE TABLE authorizers (
    {PLACE}, {RESULT}, unique_id_hash bytea NOT NULL, private bytea NOT NULL, PRIMARY KEY (batch_id, row_no)
);
CREATE INDEX ON authorizers (requester_id, unique_id_hash);
CREATE INDEX ON authorizers (due_at) WHERE status IS NULL;
"""


async def main(variant: str, key: str) -> None:
    connection = await asyncpg.connect(os.environ["RIVAL_DATABASE_URL"])
    await connection.execute(SHARED + (SEALED if variant == "sealed" else PLAIN))
    requester_id = uuid.uuid4()
    await connection.execute("INSERT INTO requesters VALUES ($1, 'Bench')", requester_id)
    secret_hash = hashlib.sha256(key.encode()).digest()
    await connection.execute("INSERT INTO api_keys VALUES ($1, $2, false)", secret_hash, requester_id)
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
