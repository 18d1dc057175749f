//! The rules of a whole submission, and what is known of a batch afterwards.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use crate::account::AccountType;
use crate::authorizer::{NewAuthorizer, Rules, account_type, read_authorizer, shown_id};
use crate::clock::Timestamp;
use crate::fault::{Fault, FaultCode, Invalid};
use crate::id::BatchId;
use crate::limits::{MAX_AUTHORIZERS, MAX_BATCH_METADATA_KEYS};
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
}

/// A row that was refused, with every fault of it.
#[derive(Clone, PartialEq, Eq)]
pub struct FailedAuthorizer {
    /// As submitted, where it is a valid id.
    pub authorizer_unique_id: Option<Cow<'static, str>>,
    pub account_type: Option<AccountType>,
    /// Counts authorizers from 1.
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
    /// Every row failed.
    AllFailed(Vec<FailedAuthorizer>),
}

impl NewBatch {
    /// Judges every row, so that one reply tells all that must be mended.
    pub fn read(raw: &RawBatch<'_>, rules: Rules) -> Result<Self, Refused> {
        match raw.authorizers.len() {
            0 => return Err(Refused::NoAuthorizers),
            1..=MAX_AUTHORIZERS => {}
            many => return Err(Refused::TooManyAuthorizers(many)),
        }
        let webhook_url = raw
            .webhook_url
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let webhook_url = webhook_url
            .map(WebhookUrl::parse)
            .transpose()
            .map_err(Refused::WebhookUrl)?;
        let mut rows = Rows {
            rules,
            seen: HashSet::new(),
            keys: BTreeSet::new(),
        };
        let (mut accepted, mut failed, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        if webhook_url.as_ref().is_some_and(|url| !url.is_encrypted()) {
            warnings.push("webhook_url is not encrypted; use an https URL.".to_owned());
        }
        for (row_no, raw) in (1..).zip(&raw.authorizers) {
            match rows.read(raw, row_no) {
                Ok(authorizer) => {
                    if authorizer
                        .account
                        .routing()
                        .is_some_and(|routing| !routing.is_valid_aba())
                    {
                        warnings.push(format!(
                            "Row {row_no}: the check digit of routing_number is wrong; the check will end as \
                             BANK_UNSUPPORTED."
                        ));
                    }
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
            Err(Refused::AllFailed(failed))
        } else {
            Ok(Self {
                accepted,
                failed,
                warnings,
                webhook_url,
            })
        }
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
