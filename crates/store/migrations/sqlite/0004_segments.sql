-- Finished batches as exports send them, made once behind the last result. All of it can be made again from the rows.

-- When the batch's segment is to be made next; empty while the batch runs, and once the segment is there.
ALTER TABLE batches ADD COLUMN seal_at INTEGER;

CREATE INDEX batches_to_seal ON batches (seal_at) WHERE seal_at IS NOT NULL;

CREATE TABLE segments (
    batch_id     BLOB PRIMARY KEY,
    requester_id BLOB NOT NULL,
    -- The version of what the segment holds. Another one is passed over, and an older one made again.
    format       INTEGER NOT NULL,
    -- The metadata keys; of each part the rows, the lengths and the checksum. Sealed.
    head         BLOB NOT NULL,
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE segment_parts (
    batch_id     BLOB NOT NULL,
    part_no      INTEGER NOT NULL,
    -- 1 lines as a zstd frame, 2 lines as a piece of a deflate stream, 3 where the cells are, as a zstd frame.
    form         INTEGER NOT NULL CHECK (form IN (1, 2, 3)),
    requester_id BLOB NOT NULL,
    sealed       BLOB NOT NULL,
    PRIMARY KEY (batch_id, part_no, form),
    FOREIGN KEY (requester_id, batch_id) REFERENCES batches (requester_id, batch_id)
) STRICT;
