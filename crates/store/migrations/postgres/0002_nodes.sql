-- Who works on this database, and what is left to do.

-- The processes at work. A row says that a node was there, not that it lives: leases alone decide about work.
CREATE TABLE nodes (
    node_id      uuid PRIMARY KEY,
    -- The machine's name and the process's number there.
    name         text COLLATE "C" NOT NULL,
    -- 1 serves the API and works, 2 works only.
    role         smallint NOT NULL CHECK (role IN (1, 2)),
    version      text COLLATE "C" NOT NULL,
    started_at   bigint NOT NULL,
    seen_at      bigint NOT NULL,
    -- What the node adds to its machine's clock to have the database's time.
    offset_micros bigint NOT NULL
);

CREATE INDEX batches_unfinished ON batches (batch_id) WHERE completed_at IS NULL;
