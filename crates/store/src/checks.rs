//! The queue in the rows of `checks`: claiming what is due.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use tidemark_domain::account::{Account, AccountNumber, CardNumber, Expiry, RoutingNumber};
use tidemark_domain::check::{Claim, Ticket};
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, NodeId, RequesterId};
use tidemark_domain::person::{BirthDate, Ein, Person, Phone, Ssn, Zip};
use tidemark_domain::secret::Secret;
use uuid::Uuid;

use crate::backend::{groups, on, values};
use crate::encoding::fields;
use crate::error::{Error, Result};
use crate::open::Store;
use crate::sealing::Purpose;
use crate::submissions::{check_place, tags};
use crate::tx::Tx;

/// A check that was claimed, with what its provider is to be told.
pub struct ClaimedCheck {
    pub claim: Claim,
    /// An error where what was stored does not open or is gone: this check's own misfortune, not the claim's.
    pub request: Result<StoredRequest>,
}

/// What was kept of an authorizer for the provider.
pub struct StoredRequest {
    pub person: Person,
    pub account: Account,
    pub ticket: Option<Ticket>,
}

#[derive(sqlx::FromRow)]
struct ClaimRow {
    requester_id: Uuid,
    batch_id: Uuid,
    row_no: i32,
    claim_no: i32,
    tries: i32,
    lost_leases: i32,
}

#[derive(sqlx::FromRow)]
struct RequestRow {
    batch_id: Uuid,
    row_no: i32,
    request: Vec<u8>,
    ticket: Option<Vec<u8>>,
}

/// How a statement that has a check's key says that it is not recorded. With `recorded_no IS NULL`, which means
/// the same, both databases may prefer to read the index of all due checks from end to end.
pub(crate) const NOT_RECORDED: &str = "due_at IS NOT NULL";

/// A claim counts up `claim_no`, takes the lease, and notes whether the one before was lost.
const CLAIM_SET: &str = "UPDATE checks SET claim_no = claim_no + 1, held_by = $1, due_at = $2, \
     lost_leases = CASE WHEN held_by IS NULL OR claim_no = 0 THEN 0 ELSE lost_leases + 1 END \
     WHERE (batch_id, row_no) IN (SELECT b, r FROM due) \
     RETURNING requester_id, batch_id, row_no, claim_no, tries, lost_leases";

impl Tx {
    /// Requesters that have checks due, in the order of their ids, beginning behind `after`.
    pub async fn requesters_due(
        &mut self,
        after: Option<RequesterId>,
        now: Timestamp,
    ) -> Result<Vec<RequesterId>> {
        // One step into the index for each requester: EXISTS may become a join with all that is due.
        const SELECT: &str = "SELECT r.requester_id FROM requesters r WHERE (SELECT 1 FROM checks c \
             WHERE c.requester_id = r.requester_id AND c.recorded_no IS NULL AND c.due_at <= $1 LIMIT 1) IS NOT NULL \
             ORDER BY r.requester_id";
        let ids: Vec<Uuid> = on!(&mut self.conn, |c| sqlx::query_scalar(SELECT)
            .bind(now.as_micros())
            .fetch_all(c)
            .await)?;
        let mut ids: Vec<RequesterId> = ids.into_iter().map(RequesterId::from_uuid).collect();
        let turn = ids.iter().position(|id| Some(*id) > after).unwrap_or(0);
        ids.rotate_left(turn);
        Ok(ids)
    }

    /// Claims up to `limit` of a requester's due checks, the longest due first, until `lease_end`.
    pub async fn claim_checks(
        &mut self,
        requester_id: RequesterId,
        limit: usize,
        (holder, lease_end): (NodeId, Timestamp),
        now: Timestamp,
    ) -> Result<Vec<Claim>> {
        // MATERIALIZED: PostgreSQL must not run the locking SELECT more than once.
        let sql = format!(
            "WITH due AS MATERIALIZED (SELECT c.batch_id AS b, c.row_no AS r FROM checks c \
             WHERE c.requester_id = $3 AND c.recorded_no IS NULL AND c.due_at <= $4 \
             ORDER BY c.due_at LIMIT $5{}) {CLAIM_SET}",
            self.conn.for_update_skip_locked()
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<ClaimRow> = on!(&mut self.conn, |c| {
            sqlx::query_as(AssertSqlSafe(sql))
                .bind(holder.uuid())
                .bind(lease_end.as_micros())
                .bind(requester_id.uuid())
                .bind(now.as_micros())
                .bind(limit)
                .fetch_all(c)
                .await
        })?;
        Ok(rows.into_iter().map(Claim::from).collect())
    }

    /// Claims checks that were born leased to `holder`, those of `ids` that nobody else has begun.
    pub async fn claim_held(
        &mut self,
        ids: &[CheckId],
        (holder, lease_end): (NodeId, Timestamp),
    ) -> Result<Vec<Claim>> {
        let mut claims = Vec::with_capacity(ids.len());
        for group in groups(ids) {
            let sql = format!(
                "WITH due AS MATERIALIZED (SELECT c.batch_id AS b, c.row_no AS r \
                 FROM (VALUES {}) AS v CROSS JOIN checks c WHERE c.batch_id = v.column1 AND c.row_no = v.column2 \
                 AND c.held_by = $1 AND c.claim_no = 0 AND {NOT_RECORDED}{}) {CLAIM_SET}",
                values(2, group.len(), 2),
                self.conn.for_update_of_c()
            );
            let rows: Vec<ClaimRow> = on!(&mut self.conn, |c| {
                let mut query = sqlx::query_as(AssertSqlSafe(sql))
                    .bind(holder.uuid())
                    .bind(lease_end.as_micros());
                for id in group {
                    query = query.bind(id.batch_id.uuid()).bind(id.row_no);
                }
                query.fetch_all(c).await
            })?;
            claims.extend(rows.into_iter().map(Claim::from));
        }
        Ok(claims)
    }

    /// Keeps checks that were born leased to `holder` and are not begun from falling due for others.
    pub async fn extend_held(
        &mut self,
        ids: &[CheckId],
        (holder, lease_end): (NodeId, Timestamp),
    ) -> Result<()> {
        for group in groups(ids) {
            let sql = format!(
                "UPDATE checks SET due_at = $2 WHERE held_by = $1 AND claim_no = 0 AND {NOT_RECORDED} \
                 AND (batch_id, row_no) IN (VALUES {})",
                values(2, group.len(), 2)
            );
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(AssertSqlSafe(sql))
                    .bind(holder.uuid())
                    .bind(lease_end.as_micros());
                for id in group {
                    query = query.bind(id.batch_id.uuid()).bind(id.row_no);
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }
}

impl From<ClaimRow> for Claim {
    fn from(row: ClaimRow) -> Self {
        Self {
            id: CheckId {
                batch_id: BatchId::from_uuid(row.batch_id),
                row_no: row.row_no,
            },
            requester_id: RequesterId::from_uuid(row.requester_id),
            claim_no: row.claim_no,
            tries: row.tries,
            lost_leases: row.lost_leases,
        }
    }
}

impl Store {
    /// Opens what the provider is to be told of each claimed check.
    pub async fn requests(&self, claims: Vec<Claim>) -> Result<Vec<ClaimedCheck>> {
        self.read("requests", move |reader| {
            Box::pin(async move {
                let mut rows: HashMap<CheckId, RequestRow> = HashMap::with_capacity(claims.len());
                for group in groups(&claims) {
                    let sql = format!(
                        "SELECT q.batch_id, q.row_no, q.request, q.ticket FROM (VALUES {}) AS v \
                         CROSS JOIN check_requests q WHERE q.batch_id = v.column1 AND q.row_no = v.column2",
                        values(0, group.len(), 2)
                    );
                    let found: Vec<RequestRow> = on!(&mut reader.conn, |c| {
                        let mut query = sqlx::query_as(AssertSqlSafe(sql));
                        for claim in group {
                            query = query.bind(claim.id.batch_id.uuid()).bind(claim.id.row_no);
                        }
                        query.fetch_all(c).await
                    })?;
                    rows.extend(found.into_iter().map(|row| {
                        let id = CheckId {
                            batch_id: BatchId::from_uuid(row.batch_id),
                            row_no: row.row_no,
                        };
                        (id, row)
                    }));
                }
                let mut claimed = Vec::with_capacity(claims.len());
                for claim in claims {
                    let keys = reader
                        .keyring
                        .clone()
                        .keys(&mut reader.conn, claim.requester_id)
                        .await;
                    let row = rows.remove(&claim.id);
                    let request = keys.and_then(|keys| {
                        let corrupt = |column| Error::corrupt("check_requests", column, claim.id);
                        let row = row.ok_or_else(|| corrupt("row_no"))?;
                        let place = check_place(claim.id);
                        let open = |purpose, sealed: &[u8]| keys.open(purpose, &place, sealed).ok();
                        let plain =
                            open(Purpose::CheckRequest, &row.request).ok_or_else(|| corrupt("request"))?;
                        let ticket = row.ticket.map(|sealed| {
                            let plain = open(Purpose::CheckTicket, &sealed)?;
                            Some(Ticket(Secret::new(String::from_utf8(plain.to_vec()).ok()?)))
                        });
                        let ticket = match ticket {
                            Some(ticket) => Some(ticket.ok_or_else(|| corrupt("ticket"))?),
                            None => None,
                        };
                        let (person, account) = decode_request(&plain).ok_or_else(|| corrupt("request"))?;
                        Ok(StoredRequest {
                            person,
                            account,
                            ticket,
                        })
                    });
                    claimed.push(ClaimedCheck { claim, request });
                }
                Ok(claimed)
            })
        })
        .await
    }

    /// The earliest moment at which any check is due, or a held one falls free; `None` when all are recorded.
    pub async fn next_check_due(&self) -> Result<Option<Timestamp>> {
        // One step into the index for each requester here too.
        const SELECT: &str = "SELECT MIN((SELECT MIN(c.due_at) FROM checks c \
             WHERE c.requester_id = r.requester_id AND c.recorded_no IS NULL)) FROM requesters r";
        let due: Option<i64> = self
            .read("next_check_due", |reader| {
                Box::pin(async move {
                    Ok(on!(&mut reader.conn, |c| sqlx::query_scalar(SELECT)
                        .fetch_one(c)
                        .await)?)
                })
            })
            .await?;
        Ok(due.map(Timestamp::from_micros))
    }
}

/// Reads what [`crate::submissions`] wrote; `None` where it does not make a valid request.
fn decode_request(plain: &[u8]) -> Option<(Person, Account)> {
    let mut person = Person::default();
    let (mut routing, mut number, mut card, mut expiry) = (None, None, None, None);
    for field in fields(plain).ok()? {
        let (tag, text) = field.ok()?;
        let secret = || Some(Secret::new(text.to_owned()));
        match tag {
            tags::FIRST_NAME => person.first_name = secret(),
            tags::LAST_NAME => person.last_name = secret(),
            tags::STREET_LINE1 => person.address.street_address_line1 = secret(),
            tags::STREET_LINE2 => person.address.street_address_line2 = secret(),
            tags::CITY => person.address.city = secret(),
            tags::STATE => person.address.state = secret(),
            tags::COUNTRY => person.address.country = secret(),
            tags::ZIP => person.zip = Some(Zip::parse(text).ok()?),
            tags::PHONE => person.phone = Some(Phone::parse(text).ok()?),
            tags::SSN => person.ssn = Some(Ssn::parse(text).ok()?),
            tags::EIN => person.ein = Some(Ein::parse(text).ok()?),
            tags::DATE_OF_BIRTH => {
                let mut parts = text.split('-');
                let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
                let date = BirthDate::from_parts(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
                person.date_of_birth = Some(date.ok()?);
            }
            tags::ROUTING_NUMBER => routing = Some(RoutingNumber::parse(text).ok()?),
            tags::ACCOUNT_NUMBER => number = Some(AccountNumber::parse(text).ok()?),
            tags::CARD_NUMBER => card = Some(CardNumber::parse(text).ok()?),
            tags::CARD_EXPIRY => {
                let (year, month) = text.split_once('-')?;
                expiry = Some(Expiry {
                    year: year.parse().ok()?,
                    month: month.parse().ok()?,
                });
            }
            _ => {}
        }
    }
    let account = match (number, card) {
        (Some(number), None) => Account::Bank {
            routing: routing?,
            number,
        },
        (None, Some(number)) => Account::Card {
            number,
            expiry,
            routing,
        },
        _ => return None,
    };
    Some((person, account))
}
