-- What the dashboard's pages read: counts by day, authorizers by their ids, batches by creator, and files between
-- their upload and their submission.

-- Which batches have a creator, by a keyed hash of the name: the name itself lies sealed.
ALTER TABLE batches ADD COLUMN creator_hash bytea;
-- When the batch's results went into the counts by day; empty until then.
ALTER TABLE batches ADD COLUMN counted_at bigint;
-- When the batch's authorizers are to be indexed next; empty once they are. What older programs write is due too.
ALTER TABLE batches ADD COLUMN index_at bigint DEFAULT 0;

CREATE INDEX batches_by_creator ON batches (requester_id, creator_hash, submitted_at DESC, batch_id DESC)
    WHERE creator_hash IS NOT NULL;
CREATE INDEX batches_to_index ON batches (batch_id) WHERE index_at IS NOT NULL;

DROP INDEX batches_unfinished;
CREATE INDEX batches_unfinished ON batches (requester_id, submitted_at DESC, batch_id DESC)
    WHERE completed_at IS NULL;

-- Results of batches that were counted, by the UTC day on which they were recorded: days since 1970-01-01.
CREATE TABLE daily_results (
    requester_id uuid NOT NULL REFERENCES requesters (requester_id),
    day          integer NOT NULL,
    outcome      smallint NOT NULL,
    results      bigint NOT NULL,
    PRIMARY KEY (requester_id, day, outcome)
);

-- Their balances, by bands that are numbered from 0.
CREATE TABLE daily_balances (
    requester_id uuid NOT NULL REFERENCES requesters (requester_id),
    day          integer NOT NULL,
    band         smallint NOT NULL,
    results      bigint NOT NULL,
    PRIMARY KEY (requester_id, day, band)
);

-- Those of them that gave no balance, by institution: 0 where none is known.
CREATE TABLE daily_failures (
    requester_id   uuid NOT NULL REFERENCES requesters (requester_id),
    day            integer NOT NULL,
    institution_no integer NOT NULL,
    outcome        smallint NOT NULL,
    results        bigint NOT NULL,
    PRIMARY KEY (requester_id, day, institution_no, outcome)
);

-- Where an authorizer occurs, by 64 bits of a keyed hash of its id: a hint, for what it points to is looked at.
CREATE TABLE authorizer_rows (
    id_hash      bigint NOT NULL,
    batch_id     uuid NOT NULL,
    row_no       integer NOT NULL,
    requester_id uuid NOT NULL,
    PRIMARY KEY (id_hash, batch_id, row_no),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
);

-- Uploaded files on their way to a submission. Everything of them is sealed, and deleted after an hour.
CREATE TABLE drafts (
    draft_id     uuid PRIMARY KEY,
    requester_id uuid NOT NULL REFERENCES requesters (requester_id),
    user_id      uuid NOT NULL,
    -- The file's name and length.
    head         bytea NOT NULL,
    created_at   bigint NOT NULL,
    expires_at   bigint NOT NULL,
    -- Parts of the file; empty while they are being written.
    parts        integer,
    -- What it was submitted as; its parts are gone then.
    batch_id     uuid,
    UNIQUE (requester_id, draft_id),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
);

CREATE INDEX drafts_of_user ON drafts (requester_id, user_id, created_at);
CREATE INDEX drafts_expired ON drafts (expires_at);

CREATE TABLE draft_parts (
    draft_id     uuid NOT NULL,
    part_no      integer NOT NULL,
    requester_id uuid NOT NULL,
    sealed       bytea NOT NULL,
    PRIMARY KEY (draft_id, part_no),
    FOREIGN KEY (requester_id, draft_id) REFERENCES drafts (requester_id, draft_id)
);
-- Sealed bytes do not get smaller.
ALTER TABLE draft_parts ALTER COLUMN sealed SET STORAGE EXTERNAL;
