//! All SQL, on both databases, and the sealing of private data.
//!
//! Reads are methods of [`Store`]; writes are methods of [`Tx`], which only [`Store::write`] makes. What
//! goes in and comes out is in the clear and in domain types; what lies in the database is sealed.
//! This floor decides nothing: when to write what is the engine's business.

mod api_keys;
mod audit;
mod authorizer_rows;
mod backend;
mod backup;
mod batches;
mod checkpoint;
mod checks;
mod dashboard;
mod drafts;
mod duties;
mod encoding;
mod error;
mod events;
mod examine;
mod exports;
pub mod fault_point;
mod held;
mod idempotency;
mod institutions;
mod keyring;
mod load;
mod migrate;
mod nodes;
mod open;
mod parts;
mod passwords;
mod queueing;
mod recovery_codes;
mod requesters;
mod results;
mod rollups;
mod rows;
mod sealing;
mod seals;
mod segments;
mod sessions;
mod settlements;
mod sign_in_tries;
mod submissions;
#[cfg(feature = "testing")]
pub mod testing;
mod tokens;
mod totp;
mod tx;
mod user_links;
mod users;
mod writer;

pub use api_keys::{ApiKey, ApiKeySecret, Caller, ListedKey};
pub use audit::AuditEntry;
pub use authorizer_rows::AuthorizerRow;
pub use backup::{Summary, restore_backup, verify_backup};
pub use batches::BatchPosition;
pub use checks::{Claimed, ClaimedCheck, StoredRequest};
pub use dashboard::{
    Activity, ActivityEntry, ActivityFilter, ActivityPosition, AuthorizerHistory, AuthorizerResult,
    BatchFilter, BatchLine, BatchPage, BatchState, Creator, DayResults, FailureCount, Found, Overview,
    ShownResult, ShownResults, Total,
};
pub use drafts::{Draft, DraftContent, DraftHead, DraftOwner, SealedDraftPart};
pub use duties::Duty;
pub use error::{Error, Result};
pub use events::NewEvent;
pub use examine::Examination;
pub use exports::{ExportBatch, ExportRow};
pub use held::Held;
pub use idempotency::{Endpoint, Registration, Remembered, Replay};
pub use keyring::RequesterKeys;
pub use load::{Connections, Queue};
pub use nodes::{Node, Role};
pub use open::{DatabaseUrl, OpenMode, POSTGRES_CONNECTIONS, Store};
pub use passwords::PasswordHash;
pub use recovery_codes::RecoveryCode;
pub use requesters::Requester;
pub use results::ResultRow;
pub use sealing::{Digest, MasterKey, VolatileKey};
pub use segments::{Form, NewSegment, PartRef, SEGMENT_FORMAT, SealedSegment, SegmentHead, SegmentPart};
pub use sessions::{ListedSession, NewSession, SignedIn};
pub use settlements::{Completed, Recorded, Waiting};
pub use sign_in_tries::Tries;
pub use submissions::Submission;
pub use tokens::{LinkToken, SessionToken};
pub use totp::TotpSecret;
pub use tx::{Tx, Work};
pub use users::{Credentials, User};
