//! Where each authorizer occurs: written behind a submission, batch by batch, so that a person is found by their id
//! while the id itself lies sealed.

use std::collections::BTreeMap;

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, CheckId, RequesterId};

use crate::backend::{groups, on, values};
use crate::error::{Error, Result};
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::parts::SHOWN;
use crate::results::Shown;
use crate::tx::Tx;

/// 64 bits of the keyed hash of an authorizer's id. Of five million ids hardly ever two have the same, and whoever reads
/// looks at the id itself.
pub(crate) fn id_hash(keys: &RequesterKeys, unique_id: &str) -> i64 {
    let hash = keys.keyed_hash("tidemark/authorizer_rows.id_hash/1", &[unique_id.as_bytes()]);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.0[..8]);
    i64::from_be_bytes(bytes)
}

/// An authorizer's place, on its way into the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorizerRow {
    requester_id: RequesterId,
    id: CheckId,
    id_hash: i64,
}

impl Store {
    /// Every authorizer of a batch. [`Error::Corrupt`] where something of it does not open.
    pub async fn authorizer_rows(
        &self,
        requester_id: RequesterId,
        batch_id: BatchId,
    ) -> Result<Vec<AuthorizerRow>> {
        const TOTAL: &str = "SELECT total_authorizers FROM batches WHERE batch_id = $1";
        self.read("authorizer_rows", move |reader| {
            Box::pin(async move {
                let total: i32 = on!(&mut reader.conn, |c| sqlx::query_scalar(TOTAL)
                    .bind(batch_id.uuid())
                    .fetch_one(c)
                    .await)?;
                let keys = reader.requester_keys(requester_id).await?;
                let parts = reader.shown_parts(requester_id, batch_id, None).await?;
                let rows = parts.rows_of(batch_id).map(|row_no| {
                    let id = CheckId { batch_id, row_no };
                    Ok(AuthorizerRow {
                        requester_id,
                        id,
                        id_hash: id_hash(&keys, Shown::read(&parts, id)?.unique_id.expose()),
                    })
                });
                let mut rows: Vec<AuthorizerRow> = rows.collect::<Result<_>>()?;
                if usize::try_from(total) != Ok(rows.len()) {
                    return Err(Error::corrupt(SHOWN.table, SHOWN.column, batch_id));
                }
                // In the index's order, so that one page of it is written once.
                rows.sort_by_key(|row| row.id_hash);
                Ok(rows)
            })
        })
        .await
    }
}

impl Tx {
    /// Writes places of authorizers. What is there already is left alone.
    pub async fn index_rows(&mut self, rows: &[AuthorizerRow]) -> Result<()> {
        // Each batch's rows have its ids once in the statement.
        let mut batches: BTreeMap<BatchId, Vec<AuthorizerRow>> = BTreeMap::new();
        for row in rows {
            batches.entry(row.id.batch_id).or_default().push(*row);
        }
        for (batch_id, rows) in batches {
            for group in groups(&rows) {
                let sql = self.conn.text(format!(
                    "INSERT INTO authorizer_rows (batch_id, requester_id, id_hash, row_no) \
                     SELECT $1, $2, v.column1, v.column2 FROM (VALUES {}) AS v WHERE TRUE ON CONFLICT DO NOTHING",
                    values(2, group.len(), 2)
                ));
                on!(&mut self.conn, |c| {
                    let mut query = sqlx::query(sql)
                        .bind(batch_id.uuid())
                        .bind(group[0].requester_id.uuid());
                    for row in group {
                        query = query.bind(row.id_hash).bind(row.id.row_no);
                    }
                    query.execute(c).await.map(|_| ())
                })?;
            }
        }
        Ok(())
    }

    /// Notes that batches which were claimed until then are indexed. Those that others have claimed since stay due.
    pub async fn note_indexed(&mut self, ids: &[BatchId], claimed_until: Timestamp) -> Result<()> {
        for group in groups(ids) {
            let sql = self.conn.text(format!(
                "UPDATE batches SET index_at = NULL WHERE index_at = $1 AND batch_id IN {}",
                values(1, 1, group.len())
            ));
            on!(&mut self.conn, |c| {
                let mut query = sqlx::query(sql).bind(claimed_until.as_micros());
                for id in group {
                    query = query.bind(id.uuid());
                }
                query.execute(c).await.map(|_| ())
            })?;
        }
        Ok(())
    }
}
