//! The lines of a batch from its rows: the one place where a result becomes CSV. Segments are made of them, and a batch
//! without a segment is exported as them, so that both give the same bytes.

use tidemark_domain::csv::Row;
use tidemark_domain::csv::part::{Part, PartsWriter};
use tidemark_domain::institution::Directory;
use tidemark_domain::secret::Secret;
use tidemark_store::{ExportBatch, ExportRow};

/// Writes the lines of a batch, under these metadata columns; both they and each row's keys are in byte order.
pub(crate) fn lines(
    directory: &Directory,
    batch: &ExportBatch,
    rows: &[ExportRow],
    columns: &[String],
) -> Vec<Part> {
    let mut writer = PartsWriter::new();
    for row in rows {
        let cells = Row {
            authorizer_unique_id: row.authorizer_unique_id.expose(),
            batch_id: batch.batch_id,
            institution: row.institution.and_then(|no| directory.name(no)),
            phone: row.phone.as_ref(),
            zip: row.zip.as_ref().map(Secret::expose),
            balance: row.outcome.balance(),
            status: row.outcome.status(),
            creator: batch.creator.as_ref().map(Secret::expose),
            recorded_at: row.recorded_at,
        };
        // One walk pairs both lists.
        let mut own = row.keys.iter().zip(&row.values).peekable();
        let meta = columns
            .iter()
            .map(|column| match own.next_if(|(key, _)| *key == column) {
                Some((_, value)) => value.expose(),
                None => "",
            });
        writer.put(&cells, meta);
    }
    writer.finish()
}
