//! The outbox: events and their deliveries are written in the transaction that makes them true.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::event::EventKind;
use tidemark_domain::id::{BatchId, DeliveryId, EventId, RequesterId};

use crate::backend::on;
use crate::error::{Error, Result};
use crate::open::Store;
use crate::sealing::Purpose;
use crate::tx::Tx;

/// An event that is about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewEvent {
    pub event_id: EventId,
    pub requester_id: RequesterId,
    pub kind: EventKind,
    pub batch_id: BatchId,
}

const fn stored(kind: EventKind) -> i16 {
    match kind {
        EventKind::BalanceBatchCompleted => 1,
    }
}

impl Tx {
    /// Writes an event, and a delivery of it if the batch names a webhook. A batch has one event of a kind.
    pub async fn add_event(
        &mut self,
        event: &NewEvent,
        delivery_id: DeliveryId,
        now: Timestamp,
    ) -> Result<()> {
        const EVENT: &str = "INSERT INTO events (event_id, requester_id, kind, batch_id, created_at) \
                             VALUES ($1, $2, $3, $4, $5)";
        const WEBHOOK: &str = "SELECT webhook_url FROM batches WHERE batch_id = $1";
        const DELIVERY: &str = "INSERT INTO deliveries (delivery_id, requester_id, event_id, url, due_at, created_at) \
                                VALUES ($1, $2, $3, $4, $5, $5)";
        on!(&mut self.conn, |c| sqlx::query(EVENT)
            .bind(event.event_id.uuid())
            .bind(event.requester_id.uuid())
            .bind(stored(event.kind))
            .bind(event.batch_id.uuid())
            .bind(now.as_micros())
            .execute(c)
            .await
            .map(|_| ()))?;
        let batch = event.batch_id.uuid();
        let webhook: Option<Vec<u8>> = on!(&mut self.conn, |c| sqlx::query_scalar(WEBHOOK)
            .bind(batch)
            .fetch_one(c)
            .await)?;
        let Some(sealed) = webhook else { return Ok(()) };
        let keys = self
            .keyring
            .clone()
            .keys(&mut self.conn, event.requester_id)
            .await?;
        let url = keys
            .open(Purpose::WebhookUrl, batch.as_bytes(), &sealed)
            .map_err(|_| Error::corrupt("batches", "webhook_url", batch))?;
        let url = keys.seal(Purpose::DeliveryUrl, delivery_id.uuid().as_bytes(), url.to_vec())?;
        Ok(on!(&mut self.conn, |c| sqlx::query(DELIVERY)
            .bind(delivery_id.uuid())
            .bind(event.requester_id.uuid())
            .bind(event.event_id.uuid())
            .bind(url)
            .bind(now.as_micros())
            .execute(c)
            .await
            .map(|_| ()))?)
    }
}

impl Store {
    /// How many events of a batch there are, and how many deliveries wait for them.
    pub async fn event_counts(&self, batch_id: BatchId) -> Result<(i64, i64)> {
        const SELECT: &str = "SELECT (SELECT COUNT(*) FROM events WHERE batch_id = $1), \
             (SELECT COUNT(*) FROM deliveries d JOIN events e ON e.event_id = d.event_id WHERE e.batch_id = $1)";
        self.read("event_counts", move |reader| {
            Box::pin(async move {
                Ok(on!(&mut reader.conn, |c| sqlx::query_as(SELECT)
                    .bind(batch_id.uuid())
                    .fetch_one(c)
                    .await)?)
            })
        })
        .await
    }
}
