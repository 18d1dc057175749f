-- Who works on this database, and what is left to do.

-- The processes at work. A row says that a node was there, not that it lives: leases alone decide about work.
CREATE TABLE nodes (
    node_id      BLOB PRIMARY KEY,
    -- The machine's name and the process's number there.
    name         TEXT NOT NULL,
    -- 1 serves the API and works, 2 works only.
    role         INTEGER NOT NULL CHECK (role IN (1, 2)),
    version      TEXT NOT NULL,
    started_at   INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,
    -- What the node adds to its machine's clock to have the database's time.
    offset_micros INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX batches_unfinished ON batches (batch_id) WHERE completed_at IS NULL;
