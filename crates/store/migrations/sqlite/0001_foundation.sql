-- The foundation: requesters and their keys, batches and their checks, idempotency, the outbox, the audit trail.
--
-- Times are microseconds since 1970-01-01 UTC, computed by the server, never by the database. Columns of BLOB
-- hold UUIDs (16 bytes), sealed values, keyed hashes or wrapped keys. Every table of a requester's data
-- carries requester_id, and references carry it too, so that no row can point at another requester's.

CREATE TABLE server (
    singleton    INTEGER PRIMARY KEY CHECK (singleton = 1),
    -- The oldest schema version whose programs may still work on this database.
    admits       INTEGER NOT NULL,
    key_check    BLOB NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE requesters (
    requester_id BLOB PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    cards        INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE data_keys (
    requester_id BLOB NOT NULL REFERENCES requesters (requester_id),
    key_no       INTEGER NOT NULL,
    -- 1 seals, 2 makes lookup hashes.
    purpose      INTEGER NOT NULL CHECK (purpose IN (1, 2)),
    wrapped      BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (requester_id, key_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    api_key_id   BLOB PRIMARY KEY,
    requester_id BLOB NOT NULL REFERENCES requesters (requester_id),
    name         TEXT NOT NULL,
    -- SHA-256 of the key, which has 256 random bits of its own.
    secret_hash  BLOB NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    UNIQUE (requester_id, api_key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE institutions (
    institution_no INTEGER PRIMARY KEY,
    -- Never changed: a new name is a new row, so that recorded results keep theirs.
    name           TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE routing_numbers (
    routing_number TEXT PRIMARY KEY,
    institution_no INTEGER NOT NULL REFERENCES institutions (institution_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    batch_id               BLOB PRIMARY KEY,
    requester_id           BLOB NOT NULL REFERENCES requesters (requester_id),
    submitted_at           INTEGER NOT NULL,
    completed_at           INTEGER,
    total_authorizers      INTEGER NOT NULL CHECK (total_authorizers > 0),
    total_processed        INTEGER NOT NULL DEFAULT 0,
    success_count          INTEGER NOT NULL DEFAULT 0,
    no_match_count         INTEGER NOT NULL DEFAULT 0,
    account_closed_count   INTEGER NOT NULL DEFAULT 0,
    bank_unsupported_count INTEGER NOT NULL DEFAULT 0,
    retrieval_failed_count INTEGER NOT NULL DEFAULT 0,
    retry_limit_count      INTEGER NOT NULL DEFAULT 0,
    processing_error_count INTEGER NOT NULL DEFAULT 0,
    webhook_url            BLOB,
    -- The display name of the user who submitted, as it was then.
    creator                BLOB,
    -- The rows whose checks are not in the queue yet; empty once they are. A submission is quick because the
    -- first claim writes them.
    unqueued               BLOB,
    UNIQUE (requester_id, batch_id),
    CHECK (total_processed BETWEEN 0 AND total_authorizers),
    CHECK ((completed_at IS NOT NULL) = (total_processed = total_authorizers)),
    CHECK (total_processed = success_count + no_match_count + account_closed_count + bank_unsupported_count
           + retrieval_failed_count + retry_limit_count + processing_error_count)
) STRICT, WITHOUT ROWID;

CREATE INDEX batches_newest ON batches (requester_id, submitted_at DESC, batch_id DESC);

CREATE INDEX batches_unqueued ON batches (requester_id, submitted_at) WHERE unqueued IS NOT NULL;

-- The distinct sets of metadata keys that a batch's authorizers have, numbered from 0, sealed together.
CREATE TABLE key_sets (
    batch_id     BLOB PRIMARY KEY,
    requester_id BLOB NOT NULL,
    keys         BLOB NOT NULL,
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
) STRICT, WITHOUT ROWID;

-- The queue: a check knows when it is due and who holds it. Kept narrow, because every claim rewrites its row.
CREATE TABLE checks (
    batch_id       BLOB NOT NULL,
    row_no         INTEGER NOT NULL,
    requester_id   BLOB NOT NULL,
    key_set_no     INTEGER NOT NULL,
    -- When work on it may be done next: for a held check, the end of the lease. Empty once recorded.
    due_at         INTEGER,
    -- The process that holds the lease.
    held_by        BLOB,
    -- Counts claims and fences: a process with an older number changes nothing.
    claim_no       INTEGER NOT NULL DEFAULT 0,
    -- Tries that the provider's failure ended.
    tries          INTEGER NOT NULL DEFAULT 0,
    lost_leases    INTEGER NOT NULL DEFAULT 0,
    -- What the provider wants to be shown when it is asked again.
    ticket         BLOB,
    -- The result: 1, 2, 3 … within the batch, in the order recorded.
    recorded_no    INTEGER,
    recorded_at    INTEGER,
    outcome        INTEGER,
    balance_cents  INTEGER,
    institution_no INTEGER REFERENCES institutions (institution_no),
    PRIMARY KEY (batch_id, row_no),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id),
    CHECK ((recorded_no IS NULL) = (due_at IS NOT NULL)),
    CHECK ((recorded_no IS NULL) = (recorded_at IS NULL)),
    CHECK ((recorded_no IS NULL) = (outcome IS NULL)),
    CHECK (recorded_no IS NULL OR (held_by IS NULL AND ticket IS NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX checks_recorded ON checks (batch_id, recorded_no) WHERE recorded_no IS NOT NULL;
CREATE INDEX checks_due ON checks (requester_id, due_at) WHERE recorded_no IS NULL;

-- What providers are told of up to 64 authorizers of a batch, sealed together: rows 1 to 64 are part 0. Deleted
-- once all of them are recorded.
CREATE TABLE request_parts (
    batch_id     BLOB NOT NULL,
    part_no      INTEGER NOT NULL,
    requester_id BLOB NOT NULL,
    request      BLOB NOT NULL,
    PRIMARY KEY (batch_id, part_no),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
) STRICT;

-- What exports and pages show of the same authorizers; never changed.
CREATE TABLE shown_parts (
    batch_id     BLOB NOT NULL,
    part_no      INTEGER NOT NULL,
    requester_id BLOB NOT NULL,
    shown        BLOB NOT NULL,
    PRIMARY KEY (batch_id, part_no),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
) STRICT;

CREATE TABLE idempotency (
    requester_id BLOB NOT NULL,
    -- 1 JSON submission.
    endpoint     INTEGER NOT NULL,
    -- 1 the body itself, 2 an Idempotency-Key.
    kind         INTEGER NOT NULL,
    hash         BLOB NOT NULL,
    -- The keyed hash of the body that came with an Idempotency-Key.
    body_hash    BLOB NOT NULL,
    batch_id     BLOB NOT NULL,
    reply        BLOB NOT NULL,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (requester_id, endpoint, kind, hash),
    -- Deferred: a submission is registered first and its batch stored after, in one transaction.
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_expired ON idempotency (expires_at);

CREATE TABLE events (
    event_id     BLOB PRIMARY KEY,
    requester_id BLOB NOT NULL,
    -- 1 batch completed.
    kind         INTEGER NOT NULL,
    batch_id     BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    UNIQUE (requester_id, event_id),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX events_once ON events (batch_id, kind);

CREATE TABLE deliveries (
    delivery_id  BLOB PRIMARY KEY,
    requester_id BLOB NOT NULL,
    event_id     BLOB NOT NULL,
    url          BLOB NOT NULL,
    -- When it is to be sent; empty once it is settled.
    due_at       INTEGER,
    created_at   INTEGER NOT NULL,
    FOREIGN KEY (requester_id, event_id) REFERENCES events (requester_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_of_event ON deliveries (event_id);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;

-- Who did what, when, from where. Holds no private data of authorizers.
CREATE TABLE audit (
    audit_id     BLOB PRIMARY KEY,
    at           INTEGER NOT NULL,
    requester_id BLOB,
    actor        TEXT NOT NULL,
    action       TEXT NOT NULL,
    object       TEXT NOT NULL,
    address      TEXT,
    request_id   BLOB
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_newest ON audit (requester_id, at);
