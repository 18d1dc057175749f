-- What comes with batches that are submitted as CSV files. In idempotency, endpoint 2 is their submission.

-- The sealed e-mail address of whoever is told when the batch is complete.
ALTER TABLE batches ADD COLUMN email bytea;
