//! Every limit that a client can meet, in one place.

/// Authorizers in one JSON submission.
pub const MAX_AUTHORIZERS: usize = 1_000;
/// Records of one CSV submission, blank ones not counted.
pub const MAX_CSV_RECORDS: usize = 5_000;
/// Columns of a CSV submission.
pub const MAX_CSV_COLUMNS: usize = 1_000;
/// Bytes of one record of a CSV submission, in UTF-8 or as they came; the largest valid one needs less than half.
pub const MAX_CSV_RECORD: usize = 1 << 20;
/// Characters of an `authorizer_unique_id`.
pub const MAX_UNIQUE_ID_CHARS: usize = 255;
/// Characters of a bank account number.
pub const MAX_ACCOUNT_NUMBER_CHARS: usize = 34;
/// Metadata keys of one authorizer.
pub const MAX_METADATA_KEYS: usize = 50;
/// Characters of a metadata key.
pub const MAX_METADATA_KEY_CHARS: usize = 100;
/// Characters of a metadata value.
pub const MAX_METADATA_VALUE_CHARS: usize = 2_000;
/// Distinct metadata keys in one batch; rows that go beyond fail.
pub const MAX_BATCH_METADATA_KEYS: usize = 200;
/// Columns of one export, the fixed ones included.
pub const MAX_EXPORT_COLUMNS: usize = 1_000;
/// Batches of one export.
pub const MAX_EXPORT_BATCHES: usize = 10_000;
/// Entries of one page.
pub const MAX_PAGE_LIMIT: u32 = 100;
/// Bytes of a JSON request body.
pub const MAX_JSON_BODY: usize = 16 << 20;
/// Bytes of a request body that carries a CSV file.
pub const MAX_CSV_BODY: usize = 64 << 20;
/// Bytes of a request's URL, and of all its headers together.
pub const MAX_URL: usize = 64 << 10;
pub const MAX_HEADERS: usize = 64 << 10;
/// Characters of a webhook URL.
pub const MAX_WEBHOOK_URL_CHARS: usize = 2_048;
/// Characters of an e-mail address (RFC 5321 §4.5.3.1.3, without the angle brackets).
pub const MAX_EMAIL_CHARS: usize = 254;
/// Hours for which a JSON submission's body, and any `Idempotency-Key`, is remembered.
pub const IDEMPOTENCY_HOURS: u64 = 24;
/// Hours for which a CSV submission without an `Idempotency-Key` is remembered.
pub const CSV_IDEMPOTENCY_HOURS: u64 = 1;
/// Characters of an `Idempotency-Key`.
pub const MAX_IDEMPOTENCY_KEY_CHARS: usize = 255;
/// Characters of a requester's or a key's name.
pub const MAX_NAME_CHARS: usize = 255;
/// Characters of a user's display name.
pub const MAX_DISPLAY_NAME_CHARS: usize = 100;
/// Characters of what a browser says of itself that a session keeps.
pub const MAX_USER_AGENT_CHARS: usize = 200;
