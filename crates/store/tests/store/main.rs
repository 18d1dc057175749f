//! What the store promises, on both databases.
#![allow(clippy::unwrap_used, reason = "a test whose preparation fails has failed")]

mod authorizer_rows;
mod backup_refusals;
mod backups;
mod batches;
mod callers;
mod cancellation;
mod claims;
mod common;
mod corruption;
mod dashboard;
mod directory;
mod drafts;
mod events;
mod exports;
mod held;
mod idempotency;
mod idempotency_rivals;
mod nodes;
mod on_disk;
mod opening;
mod properties;
mod requests;
mod results;
mod rivals;
mod rollups;
mod schema;
mod seals;
mod segments;
mod sessions;
mod settlements;
mod surface;
mod transactions;
mod users;
mod versions;
mod waiting;
