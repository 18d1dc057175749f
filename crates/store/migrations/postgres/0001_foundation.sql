-- The foundation: requesters and their keys, batches and their checks, idempotency, the outbox, the audit trail.
--
-- Times are microseconds since 1970-01-01 UTC, computed by the server, never by the database. Columns of bytea
-- hold sealed values, keyed hashes or wrapped keys, unless said otherwise. Every table of a requester's data
-- carries requester_id, and references carry it too, so that no row can point at another requester's.

CREATE TABLE server (
    singleton    integer PRIMARY KEY CHECK (singleton = 1),
    -- The oldest schema version whose programs may still work on this database.
    admits       integer NOT NULL,
    key_check    bytea NOT NULL,
    created_at   bigint NOT NULL
);

CREATE TABLE requesters (
    requester_id uuid PRIMARY KEY,
    name         text COLLATE "C" NOT NULL UNIQUE,
    cards        boolean NOT NULL,
    created_at   bigint NOT NULL
);

CREATE TABLE data_keys (
    requester_id uuid NOT NULL REFERENCES requesters (requester_id),
    key_no       integer NOT NULL,
    -- 1 seals, 2 makes lookup hashes.
    purpose      smallint NOT NULL CHECK (purpose IN (1, 2)),
    wrapped      bytea NOT NULL,
    created_at   bigint NOT NULL,
    PRIMARY KEY (requester_id, key_no)
);

CREATE TABLE api_keys (
    api_key_id   uuid PRIMARY KEY,
    requester_id uuid NOT NULL REFERENCES requesters (requester_id),
    name         text COLLATE "C" NOT NULL,
    -- SHA-256 of the key, which has 256 random bits of its own.
    secret_hash  bytea NOT NULL UNIQUE,
    created_at   bigint NOT NULL,
    expires_at   bigint,
    revoked_at   bigint,
    UNIQUE (requester_id, api_key_id)
);

CREATE TABLE institutions (
    institution_no integer PRIMARY KEY,
    -- Never changed: a new name is a new row, so that recorded results keep theirs.
    name           text COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE routing_numbers (
    routing_number text COLLATE "C" PRIMARY KEY,
    institution_no integer NOT NULL REFERENCES institutions (institution_no)
);

CREATE TABLE batches (
    batch_id               uuid PRIMARY KEY,
    requester_id           uuid NOT NULL REFERENCES requesters (requester_id),
    submitted_at           bigint NOT NULL,
    completed_at           bigint,
    total_authorizers      integer NOT NULL CHECK (total_authorizers > 0),
    total_processed        integer NOT NULL DEFAULT 0,
    success_count          integer NOT NULL DEFAULT 0,
    no_match_count         integer NOT NULL DEFAULT 0,
    account_closed_count   integer NOT NULL DEFAULT 0,
    bank_unsupported_count integer NOT NULL DEFAULT 0,
    retrieval_failed_count integer NOT NULL DEFAULT 0,
    retry_limit_count      integer NOT NULL DEFAULT 0,
    processing_error_count integer NOT NULL DEFAULT 0,
    webhook_url            bytea,
    -- The display name of the user who submitted, as it was then.
    creator                bytea,
    -- The rows whose checks are not in the queue yet; empty once they are. A submission is quick because the
    -- first claim writes them.
    unqueued               bytea,
    UNIQUE (requester_id, batch_id),
    CHECK (total_processed BETWEEN 0 AND total_authorizers),
    CHECK ((completed_at IS NOT NULL) = (total_processed = total_authorizers)),
    CHECK (total_processed = success_count + no_match_count + account_closed_count + bank_unsupported_count
           + retrieval_failed_count + retry_limit_count + processing_error_count)
);

CREATE INDEX batches_newest ON batches (requester_id, submitted_at DESC, batch_id DESC);

CREATE INDEX batches_unqueued ON batches (requester_id, submitted_at) WHERE unqueued IS NOT NULL;

-- The distinct sets of metadata keys that a batch's authorizers have, numbered from 0, sealed together.
CREATE TABLE key_sets (
    batch_id     uuid PRIMARY KEY,
    requester_id uuid NOT NULL,
    keys         bytea NOT NULL,
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
);

-- The queue: a check knows when it is due and who holds it. Kept narrow, because every claim rewrites its row.
CREATE TABLE checks (
    batch_id       uuid NOT NULL,
    row_no         integer NOT NULL,
    requester_id   uuid NOT NULL,
    key_set_no     integer NOT NULL,
    -- When work on it may be done next: for a held check, the end of the lease. Empty once recorded.
    due_at         bigint,
    -- The process that holds the lease.
    held_by        uuid,
    -- Counts claims and fences: a process with an older number changes nothing.
    claim_no       integer NOT NULL DEFAULT 0,
    -- Tries that the provider's failure ended.
    tries          integer NOT NULL DEFAULT 0,
    lost_leases    integer NOT NULL DEFAULT 0,
    -- What the provider wants to be shown when it is asked again.
    ticket         bytea,
    -- The result: 1, 2, 3 … within the batch, in the order recorded.
    recorded_no    integer,
    recorded_at    bigint,
    outcome        smallint,
    balance_cents  bigint,
    institution_no integer REFERENCES institutions (institution_no),
    PRIMARY KEY (batch_id, row_no),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id),
    CHECK ((recorded_no IS NULL) = (due_at IS NOT NULL)),
    CHECK ((recorded_no IS NULL) = (recorded_at IS NULL)),
    CHECK ((recorded_no IS NULL) = (outcome IS NULL)),
    CHECK (recorded_no IS NULL OR (held_by IS NULL AND ticket IS NULL))
);

CREATE UNIQUE INDEX checks_recorded ON checks (batch_id, recorded_no) WHERE recorded_no IS NOT NULL;
CREATE INDEX checks_due ON checks (requester_id, due_at) WHERE recorded_no IS NULL;

-- What providers are told of up to 64 authorizers of a batch, sealed together: rows 1 to 64 are part 0. Deleted
-- once all of them are recorded.
CREATE TABLE request_parts (
    batch_id     uuid NOT NULL,
    part_no      integer NOT NULL,
    requester_id uuid NOT NULL,
    request      bytea NOT NULL,
    PRIMARY KEY (batch_id, part_no),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
);

-- What exports and pages show of the same authorizers; never changed.
CREATE TABLE shown_parts (
    batch_id     uuid NOT NULL,
    part_no      integer NOT NULL,
    requester_id uuid NOT NULL,
    shown        bytea NOT NULL,
    PRIMARY KEY (batch_id, part_no),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
);

-- Sealed bytes do not compress; do not try.
ALTER TABLE request_parts ALTER COLUMN request SET STORAGE EXTERNAL;
ALTER TABLE shown_parts ALTER COLUMN shown SET STORAGE EXTERNAL;

CREATE TABLE idempotency (
    requester_id uuid NOT NULL,
    -- 1 JSON submission.
    endpoint     smallint NOT NULL,
    -- 1 the body itself, 2 an Idempotency-Key.
    kind         smallint NOT NULL,
    hash         bytea NOT NULL,
    -- The keyed hash of the body that came with an Idempotency-Key.
    body_hash    bytea NOT NULL,
    batch_id     uuid NOT NULL,
    reply        bytea NOT NULL,
    expires_at   bigint NOT NULL,
    PRIMARY KEY (requester_id, endpoint, kind, hash),
    -- Deferred: a submission is registered first and its batch stored after, in one transaction.
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id) DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX idempotency_expired ON idempotency (expires_at);

CREATE TABLE events (
    event_id     uuid PRIMARY KEY,
    requester_id uuid NOT NULL,
    -- 1 batch completed.
    kind         smallint NOT NULL,
    batch_id     uuid NOT NULL,
    created_at   bigint NOT NULL,
    UNIQUE (requester_id, event_id),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
);

CREATE UNIQUE INDEX events_once ON events (batch_id, kind);

CREATE TABLE deliveries (
    delivery_id  uuid PRIMARY KEY,
    requester_id uuid NOT NULL,
    event_id     uuid NOT NULL,
    url          bytea NOT NULL,
    -- When it is to be sent; empty once it is settled.
    due_at       bigint,
    created_at   bigint NOT NULL,
    FOREIGN KEY (requester_id, event_id) REFERENCES events (requester_id, event_id)
);

CREATE INDEX deliveries_of_event ON deliveries (event_id);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;

-- Who did what, when, from where. Holds no private data of authorizers.
CREATE TABLE audit (
    audit_id     uuid PRIMARY KEY,
    at           bigint NOT NULL,
    requester_id uuid,
    actor        text NOT NULL,
    action       text NOT NULL,
    object       text NOT NULL,
    address      text,
    request_id   uuid
);

CREATE INDEX audit_newest ON audit (requester_id, at);
