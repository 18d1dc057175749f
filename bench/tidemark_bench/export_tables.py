"""The rivals' tables: the results of one of Tidemark's own exports in plain normalised tables, on PostgreSQL and in
a file of SQLite, and the statements that render them as the same file again.

Where there was a choice, they have what is or should be quicker: metadata as one JSON value and not as rows, surrogate
keys that join as integers, money as PostgreSQL's numeric, which needs no dividing, and in SQLite the timestamp as its
text.
"""

import csv
import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .postgres import Postgres

FIXED = ("Authorizer ID", "Batch ID", "Institution", "Phone", "Zip", "Balance", "Status", "Creator", "Timestamp")
REQUESTER = "11111111-1111-4111-8111-111111111111"

POSTGRES_TABLES = """
CREATE TABLE requesters (requester_id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE api_keys (secret_hash bytea PRIMARY KEY, requester_id uuid NOT NULL REFERENCES requesters);
CREATE TABLE institutions (institution_no integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE batches (
    batch_no integer PRIMARY KEY, batch_id uuid NOT NULL UNIQUE, requester_id uuid NOT NULL REFERENCES requesters,
    creator text, total_processed integer NOT NULL
);
CREATE TABLE authorizers (
    authorizer_id integer PRIMARY KEY, batch_no integer NOT NULL REFERENCES batches, unique_id text NOT NULL,
    phone text, zip text, metadata jsonb
);
CREATE TABLE results (
    authorizer_id integer PRIMARY KEY REFERENCES authorizers, institution_no integer REFERENCES institutions,
    balance numeric(15, 2), status text NOT NULL, recorded_at timestamptz NOT NULL
);
INSERT INTO requesters VALUES ('{requester}', 'Bench');
INSERT INTO api_keys VALUES ('\\x{key_hash}', '{requester}');
INSERT INTO institutions SELECT row_number() OVER (ORDER BY name), name FROM (SELECT DISTINCT f2 AS name FROM staging
    WHERE f2 IS NOT NULL) AS names;
INSERT INTO batches SELECT row_number() OVER (ORDER BY min(n)), f1::uuid, '{requester}', min(f7), count(*) FROM staging
    GROUP BY f1;
INSERT INTO authorizers SELECT n, batch_no, f0, substr(f3, 3), f4, {metadata}
    FROM staging JOIN batches ON batch_id = f1::uuid ORDER BY n;
INSERT INTO results SELECT n, institution_no, f5::numeric, f6, f8::timestamptz
    FROM staging LEFT JOIN institutions ON name = f2 ORDER BY n;
DROP TABLE staging;
CREATE INDEX ON batches (requester_id);
CREATE INDEX ON authorizers (batch_no);
"""

# ISO 8601 with a T and the offset's minutes. `to_char` takes a twentieth longer for the whole.
POSTGRES_ROWS = """
SELECT a.unique_id AS "Authorizer ID", b.batch_id AS "Batch ID", i.name AS "Institution", '+1' || a.phone AS "Phone",
    a.zip AS "Zip", r.balance AS "Balance", r.status AS "Status", b.creator AS "Creator",
    replace((r.recorded_at AT TIME ZONE 'UTC')::text, ' ', 'T') || '+00:00' AS "Timestamp"{keys}
FROM batches b JOIN authorizers a USING (batch_no) JOIN results r USING (authorizer_id)
    LEFT JOIN institutions i USING (institution_no)
WHERE b.requester_id = '{requester}'
"""

SQLITE_TABLES = """
CREATE TABLE requesters (requester_id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE institutions (institution_no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE batches (
    batch_no INTEGER PRIMARY KEY, batch_id TEXT NOT NULL UNIQUE, requester_id TEXT NOT NULL REFERENCES requesters,
    creator TEXT, total_processed INTEGER NOT NULL
);
CREATE TABLE authorizers (
    authorizer_id INTEGER PRIMARY KEY, batch_no INTEGER NOT NULL REFERENCES batches, unique_id TEXT NOT NULL,
    phone TEXT, zip TEXT, metadata TEXT
);
CREATE TABLE results (
    authorizer_id INTEGER PRIMARY KEY REFERENCES authorizers, institution_no INTEGER REFERENCES institutions,
    balance_cents INTEGER, status TEXT NOT NULL, recorded_at TEXT NOT NULL
);
BEGIN;
INSERT INTO requesters VALUES ('{requester}', 'Bench');
INSERT INTO institutions (name) SELECT DISTINCT f2 FROM staging WHERE f2 <> '' ORDER BY f2;
INSERT INTO batches SELECT row_number() OVER (ORDER BY min(rowid)), f1, '{requester}', NULLIF(min(f7), ''), count(*)
    FROM staging GROUP BY f1;
INSERT INTO authorizers SELECT s.rowid, batch_no, f0, NULLIF(substr(f3, 3), ''), NULLIF(f4, ''), {metadata}
    FROM staging s JOIN batches ON batch_id = f1 ORDER BY s.rowid;
INSERT INTO results SELECT s.rowid, institution_no,
    CASE WHEN f5 <> '' THEN CAST(round(CAST(f5 AS REAL) * 100) AS INTEGER) END, f6, f8
    FROM staging s LEFT JOIN institutions ON name = f2 ORDER BY s.rowid;
DROP TABLE staging;
CREATE INDEX batches_of ON batches (requester_id);
CREATE INDEX authorizers_of ON authorizers (batch_no);
COMMIT;
VACUUM;
ANALYZE;
"""

SQLITE_ROWS = """
SELECT a.unique_id AS "Authorizer ID", b.batch_id AS "Batch ID", i.name AS "Institution", '+1' || a.phone AS "Phone",
    a.zip AS "Zip", CASE WHEN r.balance_cents IS NOT NULL THEN printf('%.2f', r.balance_cents / 100.0) END AS "Balance", r.status AS "Status",
    b.creator AS "Creator", r.recorded_at AS "Timestamp"{keys}
FROM batches b JOIN authorizers a USING (batch_no) JOIN results r USING (authorizer_id)
    LEFT JOIN institutions i USING (institution_no)
WHERE b.requester_id = '{requester}'
"""


@dataclass
class Source:
    """An export's file, and the metadata keys of its columns."""

    file: Path
    keys: list[str]

    @classmethod
    def of(cls, file: Path) -> "Source":
        with file.open(encoding="utf-8", newline="") as lines:
            header = next(csv.reader(lines))
        if tuple(header[: len(FIXED)]) != FIXED:
            raise RuntimeError(f"unknown columns: {header}")
        return cls(file, [name.removeprefix("meta_") for name in header[len(FIXED) :]])

    @property
    def columns(self) -> list[str]:
        return [f"f{place}" for place in range(len(FIXED) + len(self.keys))]

    def _pairs(self) -> list[tuple[str, str]]:
        return [(_text(key), f"f{len(FIXED) + place}") for place, key in enumerate(self.keys)]

    def metadata(self, build: str) -> str:
        """The metadata columns of `staging` as one JSON object, which `build` makes of pairs; NULL where all are
        empty."""
        pairs = self._pairs()
        if not pairs:
            return "NULL"
        some = " OR ".join(f"NULLIF({column}, '') IS NOT NULL" for _, column in pairs)
        parts = ", ".join(f"{key}, NULLIF({column}, '')" for key, column in pairs)
        return f"CASE WHEN {some} THEN {build.replace('PAIRS', parts)} END"

    def selected(self) -> str:
        """The metadata columns of the file, out of that object."""
        parts = (f", a.metadata->>{key}" for key, _ in self._pairs())
        return "".join(f'{part} AS "meta_{key}"' for part, key in zip(parts, self.keys, strict=True))


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def into_postgres(postgres: Postgres, database: str, source: Source, key: str) -> None:
    """Fills a database with the tables, and makes its statistics and its cache warm."""
    columns = ", ".join(f"{name} text" for name in source.columns)
    postgres.psql(f"CREATE UNLOGGED TABLE staging (n integer GENERATED ALWAYS AS IDENTITY, {columns})", database)
    copy = f"COPY staging ({', '.join(source.columns)}) FROM STDIN (FORMAT csv, HEADER)"
    postgres.psql(copy, database, source.file)
    tables = POSTGRES_TABLES.format(
        requester=REQUESTER,
        key_hash=hashlib.sha256(key.encode()).hexdigest(),
        metadata=source.metadata("jsonb_strip_nulls(jsonb_build_object(PAIRS))"),
    )
    postgres.psql(tables, database)
    postgres.psql("VACUUM (FREEZE, ANALYZE)", database)
    postgres.psql("CHECKPOINT", database)


def postgres_copy(source: Source) -> str:
    rows = POSTGRES_ROWS.format(keys=source.selected(), requester=REQUESTER)
    return f"COPY ({rows}) TO STDOUT (FORMAT csv, HEADER)"


def into_sqlite(shell: str, file: Path, source: Source) -> None:
    """Fills a file of SQLite with the tables."""
    # json_patch drops what is null.
    metadata = source.metadata("json_patch('{}', json_object(PAIRS))")
    columns = ", ".join(f"{name} TEXT" for name in source.columns)
    script = (
        f"PRAGMA journal_mode = WAL;\nPRAGMA synchronous = OFF;\nCREATE TABLE staging ({columns});\n"
        f'.import --csv --skip 1 "{source.file}" staging\n'
        + SQLITE_TABLES.format(requester=REQUESTER, metadata=metadata)
    )
    subprocess.run([shell, "-bail", str(file)], input=script, text=True, check=True, stdout=subprocess.DEVNULL)


def sqlite_rows(source: Source) -> str:
    return SQLITE_ROWS.format(keys=source.selected(), requester=REQUESTER)
