//! The queue in the rows of `checks`: claiming what is due.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

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
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::parts::{Parts, REQUESTS, part_no};
use crate::rows::from_row;
use crate::sealing::Purpose;
use crate::submissions::{check_place, tags};
use crate::tx::{Reader, Tx};

/// What a claim took, and what it had to leave.
#[derive(Debug, Default)]
pub struct Claimed {
    pub claims: Vec<Claim>,
    /// Batches that cannot enter the queue, because what was noted of their rows is corrupt, with the
    /// [`Error::Corrupt`] that says so. They are passed over, and stay as they are.
    pub corrupt: Vec<(BatchId, Error)>,
}

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

pub(crate) struct ClaimRow {
    requester_id: Uuid,
    batch_id: Uuid,
    row_no: i32,
    claim_no: i32,
    tries: i32,
    lost_leases: i32,
}

from_row!(ClaimRow {
    requester_id,
    batch_id,
    row_no,
    claim_no,
    tries,
    lost_leases
});

/// How a statement that has a check's key says that it is not recorded. With `recorded_no IS NULL`, which means
/// the same, both databases may prefer to read the index of all due checks from end to end.
pub(crate) const NOT_RECORDED: &str = "due_at IS NOT NULL";

/// A claim counts up `claim_no`, takes the lease, and notes whether the one before was lost.
pub(crate) const CLAIM_SET: &str = "UPDATE checks SET claim_no = claim_no + 1, held_by = $1, due_at = $2, \
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
        // One step into each index for each requester: EXISTS may become a join with all that is due, and without an
        // order a first row may be looked for in the whole table.
        const SELECT: &str = "SELECT r.requester_id FROM requesters r WHERE (SELECT c.due_at FROM checks c \
             WHERE c.requester_id = r.requester_id AND c.recorded_no IS NULL AND c.due_at <= $1 \
             ORDER BY c.due_at LIMIT 1) IS NOT NULL \
             OR (SELECT b.submitted_at FROM batches b \
             WHERE b.requester_id = r.requester_id AND b.unqueued IS NOT NULL AND b.submitted_at <= $1 \
             ORDER BY b.submitted_at LIMIT 1) IS NOT NULL \
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

    /// Claims up to `limit` of a requester's due checks until the lease's end: the longest due first, then
    /// those of batches that are not in the queue yet.
    pub async fn claim_checks(
        &mut self,
        requester_id: RequesterId,
        limit: usize,
        lease: (NodeId, Timestamp),
        now: Timestamp,
    ) -> Result<Claimed> {
        let mut claims = self.claim_queued(requester_id, limit, lease, now).await?;
        let room = limit - claims.len();
        let fresh = self.queue_batches(requester_id, room, lease, now).await?;
        claims.extend(fresh.claims);
        Ok(Claimed {
            claims,
            corrupt: fresh.corrupt,
        })
    }

    async fn claim_queued(
        &mut self,
        requester_id: RequesterId,
        limit: usize,
        (holder, lease_end): (NodeId, Timestamp),
        now: Timestamp,
    ) -> Result<Vec<Claim>> {
        // MATERIALIZED: PostgreSQL must not run the locking SELECT more than once.
        let sql = self.conn.text(format!(
            "WITH due AS MATERIALIZED (SELECT c.batch_id AS b, c.row_no AS r FROM checks c \
             WHERE c.requester_id = $3 AND c.recorded_no IS NULL AND c.due_at <= $4 \
             ORDER BY c.due_at LIMIT $5{}) {CLAIM_SET}",
            self.conn.for_update_skip_locked()
        ));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<ClaimRow> = on!(&mut self.conn, |c| {
            sqlx::query_as(sql)
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

    /// Lets every lease end now, and returns how many did. Only for a process that knows that all others are
    /// dead; a late answer of one is fenced off as ever.
    pub async fn free_leases(&mut self, now: Timestamp) -> Result<u64> {
        // One step into the index for each requester, or all recorded checks would be read too.
        const UPDATE: &str = "UPDATE checks SET due_at = $1 WHERE (batch_id, row_no) IN (SELECT c.batch_id, c.row_no \
             FROM requesters r CROSS JOIN checks c WHERE c.requester_id = r.requester_id AND c.recorded_no IS NULL \
             AND c.due_at > $1 AND c.held_by IS NOT NULL)";
        Ok(on!(&mut self.conn, |c| sqlx::query(UPDATE)
            .bind(now.as_micros())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?)
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
                let parts = reader.request_parts(&claims).await?;
                let mut tickets = reader.tickets(&claims).await?;
                let mut claimed = Vec::with_capacity(claims.len());
                for claim in claims {
                    let ticket = tickets.remove(&claim.id);
                    let keys = reader.requester_keys(claim.requester_id).await;
                    let request = keys.and_then(|keys| {
                        let corrupt = || REQUESTS.corrupt(claim.id);
                        let (person, account) =
                            decode_request(parts.row(&REQUESTS, claim.id)?).ok_or_else(corrupt)?;
                        let ticket = ticket.map(|sealed| open_ticket(&keys, claim.id, &sealed));
                        Ok(StoredRequest {
                            person,
                            account,
                            ticket: ticket.transpose()?,
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
        const SELECT: &str = "SELECT MIN(due) FROM (SELECT (SELECT MIN(c.due_at) FROM checks c \
             WHERE c.requester_id = r.requester_id AND c.recorded_no IS NULL) AS due FROM requesters r \
             UNION ALL SELECT MIN(submitted_at) FROM batches WHERE unqueued IS NOT NULL) AS moments";
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

impl Reader {
    pub(crate) async fn requester_keys(&mut self, id: RequesterId) -> Result<Arc<RequesterKeys>> {
        self.keyring.clone().keys(&mut self.conn, id).await
    }

    /// The parts that hold these checks' requests. Those that do not open are left out.
    async fn request_parts(&mut self, claims: &[Claim]) -> Result<Parts> {
        let mut owners: BTreeMap<(BatchId, i32), RequesterId> = BTreeMap::new();
        for claim in claims {
            owners.insert((claim.id.batch_id, part_no(claim.id.row_no)), claim.requester_id);
        }
        let wanted: Vec<(BatchId, i32)> = owners.keys().copied().collect();
        let mut parts = Parts::default();
        for group in groups(&wanted) {
            let sql = self.conn.text(format!(
                "SELECT p.batch_id, p.part_no, p.request FROM (VALUES {}) AS v \
                 CROSS JOIN request_parts p WHERE p.batch_id = v.column1 AND p.part_no = v.column2",
                values(0, group.len(), 2)
            ));
            let found: Vec<(Uuid, i32, Vec<u8>)> = on!(&mut self.conn, |c| {
                let mut query = sqlx::query_as(sql);
                for (batch_id, no) in group {
                    query = query.bind(batch_id.uuid()).bind(*no);
                }
                query.fetch_all(c).await
            })?;
            for (batch_id, no, sealed) in found {
                let place = (BatchId::from_uuid(batch_id), no);
                // Without its keys a part stays closed, and its checks are corrupt.
                if let Some(owner) = owners.get(&place)
                    && let Ok(keys) = self.requester_keys(*owner).await
                {
                    parts.add(&REQUESTS, &keys, place, &sealed);
                }
            }
        }
        Ok(parts)
    }

    /// The sealed tickets of these checks. Only a check that was claimed before can have one.
    async fn tickets(&mut self, claims: &[Claim]) -> Result<HashMap<CheckId, Vec<u8>>> {
        let again: Vec<CheckId> = claims.iter().filter(|c| c.claim_no > 1).map(|c| c.id).collect();
        let mut tickets = HashMap::new();
        for group in groups(&again) {
            let sql = self.conn.text(format!(
                "SELECT c.batch_id, c.row_no, c.ticket FROM (VALUES {}) AS v CROSS JOIN checks c \
                 WHERE c.batch_id = v.column1 AND c.row_no = v.column2 AND c.ticket IS NOT NULL",
                values(0, group.len(), 2)
            ));
            let found: Vec<(Uuid, i32, Vec<u8>)> = on!(&mut self.conn, |c| {
                let mut query = sqlx::query_as(sql);
                for id in group {
                    query = query.bind(id.batch_id.uuid()).bind(id.row_no);
                }
                query.fetch_all(c).await
            })?;
            tickets.extend(found.into_iter().map(|(batch_id, row_no, ticket)| {
                let batch_id = BatchId::from_uuid(batch_id);
                (CheckId { batch_id, row_no }, ticket)
            }));
        }
        Ok(tickets)
    }
}

fn open_ticket(keys: &RequesterKeys, id: CheckId, sealed: &[u8]) -> Result<Ticket> {
    let plain = keys.open(Purpose::CheckTicket, &check_place(id), sealed).ok();
    plain
        .and_then(|plain| String::from_utf8(plain.to_vec()).ok())
        .map(|text| Ticket(Secret::new(text)))
        .ok_or_else(|| Error::corrupt("checks", "ticket", id))
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
