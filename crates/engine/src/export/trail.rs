//! Who took which results out, in the audit trail.

use std::fmt::Write as _;

use tidemark_domain::id::BatchId;
use tidemark_store::AuditEntry;

use super::Export;
use crate::engine::Engine;
use crate::users::Visitor;

/// So many batches of an export are named, and the others counted.
const NAMED: usize = 20;

impl Engine {
    /// Writes into the audit trail that an export goes to its recipient; it is there before the first byte is. Where the
    /// database does not take it, the log has it instead: results can be read also when nothing can be written.
    pub async fn note_export(&self, export: &Export, visitor: &Visitor) {
        let entry = AuditEntry {
            requester_id: Some(export.to.requester_id()),
            actor: export.to.actor(),
            action: "batch.export",
            object: object(&export.asked),
            address: visitor.address.clone(),
            request_id: Some(visitor.request_id),
        };
        let (audit_id, now, noted) = (self.audit_id(), self.now(), entry.clone());
        let written = self
            .store
            .write("note_export", move |tx| {
                Box::pin(async move { tx.audit(audit_id, &noted, now).await })
            })
            .await;
        if let Err(error) = written {
            let AuditEntry { actor, object, .. } = entry;
            let request_id = visitor.request_id;
            tracing::error!(%error, actor, batches = object, %request_id, "an export is not in the audit trail");
        }
    }
}

/// Ids with commas between them: "ID,ID and 7 more".
fn object(asked: &[BatchId]) -> String {
    let mut text = String::new();
    for (no, id) in asked.iter().take(NAMED).enumerate() {
        let comma = if no > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{id}");
    }
    if asked.len() > NAMED {
        let _ = write!(text, " and {} more", asked.len() - NAMED);
    }
    text
}

#[cfg(test)]
mod tests {
    use tidemark_domain::clock::Timestamp;

    use super::*;

    #[test]
    fn the_first_batches_are_named_and_the_others_counted() {
        let ids: Vec<_> = (0..22_u8)
            .map(|n| BatchId::new(Timestamp::from_micros(0), [n; 10]))
            .collect();
        assert_eq!(object(&ids[..1]), ids[0].to_string());
        assert_eq!(object(&ids[..2]), format!("{},{}", ids[0], ids[1]));
        let all = object(&ids);
        assert!(all.ends_with(&format!(",{} and 2 more", ids[19])), "{all}");
        assert!(!all.contains(&ids[20].to_string()));
    }
}
