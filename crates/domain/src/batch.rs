//! The rules of a whole submission, and what is known of a batch afterwards.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use crate::account::{Account, AccountType};
use crate::authorizer::{NewAuthorizer, Rules, account_type, read_authorizer, shown_id};
use crate::clock::Timestamp;
use crate::email::EmailAddress;
use crate::fault::{Fault, FaultCode, Invalid};
use crate::id::BatchId;
use crate::limits::MAX_BATCH_METADATA_KEYS;
use crate::outcome::Status;
use crate::raw::{RawAuthorizer, RawBatch};
use crate::webhook::WebhookUrl;

/// A submission that passed: at least one good row, and the bad ones told apart.
pub struct NewBatch {
    /// Never empty; ids are unique; in the order submitted.
    pub accepted: Vec<NewAuthorizer>,
    pub failed: Vec<FailedAuthorizer>,
    pub warnings: Vec<String>,
    pub webhook_url: Option<WebhookUrl>,
    /// Who is told when the batch is complete.
    pub email: Option<EmailAddress>,
}

/// A row that was refused, with every fault of it.
#[derive(Clone, PartialEq, Eq)]
pub struct FailedAuthorizer {
    /// As submitted, where it is a valid id.
    pub authorizer_unique_id: Option<Cow<'static, str>>,
    pub account_type: Option<AccountType>,
    /// Counts from 1: a JSON submission's authorizers, or a CSV file's records with its header as the first.
    pub row_number: i32,
    pub faults: Vec<Fault>,
}

impl FailedAuthorizer {
    /// All faults as one line.
    pub fn error(&self) -> String {
        self.faults
            .iter()
            .map(|fault| fault.message.as_str())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Why a submission as a whole was refused; nothing of it is kept.
pub enum Refused {
    NoAuthorizers,
    TooManyAuthorizers(usize),
    WebhookUrl(Invalid),
    Email(Invalid),
    /// Every row failed.
    AllFailed(Vec<FailedAuthorizer>),
}

impl NewBatch {
    /// Judges every row, so that one reply tells all that must be mended.
    pub fn read(raw: &RawBatch<'_>, rules: Rules) -> Result<Self, Refused> {
        match raw.authorizers.len() {
            0 => return Err(Refused::NoAuthorizers),
            many if many > rules.form.max_authorizers() => return Err(Refused::TooManyAuthorizers(many)),
            _ => {}
        }
        let webhook_url =
            optional(raw.webhook_url.as_deref(), WebhookUrl::parse).map_err(Refused::WebhookUrl)?;
        let email = optional(raw.email.as_deref(), EmailAddress::parse).map_err(Refused::Email)?;
        let mut rows = Rows {
            rules,
            seen: HashSet::with_capacity(raw.authorizers.len()),
            keys: BTreeSet::new(),
        };
        let mut accepted = Vec::with_capacity(raw.authorizers.len());
        let (mut failed, mut warnings) = (Vec::new(), Vec::new());
        if webhook_url.as_ref().is_some_and(|url| !url.is_encrypted()) {
            warnings.push("webhook_url is not encrypted; use an https URL.".to_owned());
        }
        for (place, raw) in (1..).zip(&raw.authorizers) {
            let row_no = raw.row_no.unwrap_or(place);
            match rows.read(raw, row_no) {
                Ok(authorizer) => {
                    warn_of(&authorizer, raw, &mut warnings);
                    accepted.push(authorizer);
                }
                Err(faults) => failed.push(FailedAuthorizer {
                    authorizer_unique_id: shown_id(raw),
                    account_type: account_type(raw),
                    row_number: row_no,
                    faults,
                }),
            }
        }
        if accepted.is_empty() {
            return Err(Refused::AllFailed(failed));
        }
        Ok(Self {
            accepted,
            failed,
            warnings,
            webhook_url,
            email,
        })
    }
}

/// A text of the submission as a whole, where one was sent.
fn optional<T>(text: Option<&str>, parse: fn(&str) -> Result<T, Invalid>) -> Result<Option<T>, Invalid> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.map(parse).transpose()
}

/// Warns of what is taken all the same.
fn warn_of(authorizer: &NewAuthorizer, raw: &RawAuthorizer<'_>, warnings: &mut Vec<String>) {
    let row_no = authorizer.row_no;
    let routing = authorizer.account.routing();
    if routing.is_some_and(|routing| !routing.is_valid_aba()) {
        warnings.push(format!(
            "Row {row_no}: the check digit of routing_number is wrong; the check will end as BANK_UNSUPPORTED."
        ));
    }
    if let Account::Bank { number, .. } = &authorizer.account
        && number.is_damaged()
    {
        warnings.push(format!(
            "Row {row_no}: account_number looks like a number that a spreadsheet has shortened (1.23E+11); \
             format its column as text and send the row anew."
        ));
    }
    let (month, year) = (raw.expiration_month.is_absent(), raw.expiration_year.is_absent());
    if matches!(authorizer.account, Account::Card { .. }) && month != year {
        warnings.push(format!(
            "Row {row_no}: half of an expiry date was given; the check goes on without it."
        ));
    }
}

/// What the rows of a submission share.
struct Rows {
    rules: Rules,
    /// Ids so far, those of failed rows included: the first occurrence stands.
    seen: HashSet<String>,
    /// Metadata keys of the rows accepted so far.
    keys: BTreeSet<String>,
}

impl Rows {
    fn read(&mut self, raw: &RawAuthorizer<'_>, row_no: i32) -> Result<NewAuthorizer, Vec<Fault>> {
        let repeated = shown_id(raw).is_some_and(|id| !self.seen.insert(id.into_owned()));
        let read = read_authorizer(raw, row_no, self.rules);
        if repeated {
            let mut faults = read.err().unwrap_or_default();
            let rule = "stands in an earlier row already; only its first occurrence counts";
            faults.push(Fault::new("authorizer_unique_id", FaultCode::Duplicate, rule));
            return Err(faults);
        }
        let authorizer = read?;
        let new = authorizer
            .metadata
            .keys()
            .filter(|key| !self.keys.contains(*key))
            .count();
        if self.keys.len() + new > MAX_BATCH_METADATA_KEYS {
            let rule = "has keys beyond the 200 distinct ones that a batch may have";
            return Err(vec![Fault::new("metadata", FaultCode::TooMany, rule)]);
        }
        self.keys.extend(authorizer.metadata.keys().map(str::to_owned));
        Ok(authorizer)
    }
}

/// Where a batch stands, all of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchStatus {
    pub batch_id: BatchId,
    pub submitted_at: Timestamp,
    pub completed_at: Option<Timestamp>,
    /// Accepted authorizers.
    pub total_authorizers: i32,
    /// Recorded results.
    pub total_processed: i32,
    /// Whether any check was begun.
    pub started: bool,
    /// Results by status, in the order of [`Status::ALL`].
    pub counts: [i32; Status::ALL.len()],
}

impl BatchStatus {
    /// `PENDING`, `PROCESSING` or `COMPLETED`.
    pub const fn state(&self) -> &'static str {
        if self.completed_at.is_some() {
            "COMPLETED"
        } else if self.started {
            "PROCESSING"
        } else {
            "PENDING"
        }
    }
}
