//! Segments: stored whole, and never read where anything about them is not as it was sealed.

use std::sync::Arc;

use bytes::Bytes;
use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::{BatchId, RequesterId};
use tidemark_domain::tally::Tally;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{
    Duty, ExportBatch, Form, NewSegment, PartRef, SEGMENT_FORMAT, SealedSegment, SegmentHead, SegmentPart,
    Store,
};

use crate::common::{Tenant, dollars, later};

tidemark_store::on_both_databases! {
    a_segment_comes_back_as_it_was_stored
    parts_come_in_the_order_asked_for_and_missing_ones_are_told
    a_segment_of_another_version_is_passed_over_and_an_older_one_made_again
    a_head_that_does_not_count_the_batchs_rows_is_passed_over
    a_part_opens_in_its_own_place_only
    every_altered_byte_is_found
}

pub(crate) async fn claim(store: &Store, until: Timestamp, now: Timestamp) -> Vec<(RequesterId, BatchId)> {
    store
        .write("test", move |tx| {
            Box::pin(tx.claim_duty(Duty::Seal, 10, until, now))
        })
        .await
        .unwrap()
}

/// A segment of two parts, as many rows in all.
pub(crate) fn segment(rows: u32, keys: &[&str]) -> NewSegment {
    let part = |rows, n: u32| SegmentPart {
        rows,
        len: 100 + n,
        crc32: 0xdead_beef + n,
        guards: n,
        zstd_len: 4,
        deflate_len: 7,
    };
    NewSegment {
        head: SegmentHead {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            parts: vec![part(rows - 1, 0), part(1, 1)],
        },
        forms: (0..2)
            .map(|n| ["zstd", "deflate", "layout"].map(|form| format!("{form} {n}").into_bytes()))
            .collect(),
    }
}

pub(crate) async fn store_segment(
    tenant: &Tenant,
    batch_id: BatchId,
    segment: NewSegment,
    claimed: Timestamp,
) -> bool {
    let owner = (tenant.id, batch_id);
    let sealed = SealedSegment::seal(&tenant.keys, owner, segment).unwrap();
    tenant
        .store
        .write("test", move |tx| {
            Box::pin(async move {
                tx.count_results(owner, &Tally::default(), NOW).await?;
                tx.store_segment(&sealed, claimed).await
            })
        })
        .await
        .unwrap()
}

/// A finished batch of so many rows with a segment.
pub(crate) async fn sealed_batch(tenant: &Tenant, rows: usize) -> BatchId {
    let batch_id = tenant.submit_many(rows).await;
    tenant.finish_all(dollars(1), NOW).await;
    assert_eq!(
        claim(&tenant.store, later(60), NOW).await,
        [(tenant.id, batch_id)]
    );
    let rows = u32::try_from(rows).unwrap();
    assert!(store_segment(tenant, batch_id, segment(rows, &["a", "b"]), later(60)).await);
    batch_id
}

pub(crate) async fn look(tenant: &Tenant, batch_id: BatchId) -> ExportBatch {
    let found = tenant.store.export_batches(tenant.id, vec![batch_id]).await;
    found.unwrap().unwrap().remove(0)
}

fn all_forms(batch_id: BatchId, head: &Arc<SegmentHead>) -> Vec<PartRef> {
    let parts = 0..head.parts.len();
    let of = |part_no| {
        Form::ALL.map(|form| PartRef {
            batch_id,
            head: head.clone(),
            part_no,
            form,
        })
    };
    parts.flat_map(of).collect()
}

async fn read(tenant: &Tenant, wanted: Vec<PartRef>) -> Vec<Option<Bytes>> {
    tenant.store.segment_parts(tenant.id, wanted).await.unwrap()
}

async fn a_segment_comes_back_as_it_was_stored(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = sealed_batch(&tenant, 5).await;
    let head = look(&tenant, batch_id).await.segment.unwrap();
    let stored = segment(5, &["a", "b"]);
    assert!(*head == stored.head);
    assert_eq!(head.rows(), 5);
    let parts = read(&tenant, all_forms(batch_id, &head)).await;
    let parts: Vec<Vec<u8>> = parts.into_iter().map(|part| part.unwrap().to_vec()).collect();
    assert_eq!(parts, stored.forms.concat());
    assert!(read(&tenant, vec![]).await.is_empty());
}

async fn parts_come_in_the_order_asked_for_and_missing_ones_are_told(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let (one, two) = (sealed_batch(&tenant, 2).await, sealed_batch(&tenant, 3).await);
    let mut wanted = Vec::new();
    for batch_id in [two, one] {
        let head = look(&tenant, batch_id).await.segment.unwrap();
        wanted.extend(all_forms(batch_id, &head).into_iter().rev());
    }
    let mut plain = Plain::open(&db).await;
    let id = plain.id(one.uuid());
    let gone = format!("DELETE FROM segment_parts WHERE batch_id = {id} AND part_no = 1 AND form = 2");
    assert_eq!(plain.run(&gone).await, 1);
    let seen: Vec<Option<String>> = read(&tenant, wanted)
        .await
        .into_iter()
        .map(|part| Some(String::from_utf8(part?.to_vec()).unwrap()))
        .collect();
    let all = [
        "layout 1",
        "deflate 1",
        "zstd 1",
        "layout 0",
        "deflate 0",
        "zstd 0",
    ];
    let mut expected: Vec<Option<String>> = all
        .iter()
        .chain(&all)
        .map(|text| Some((*text).to_owned()))
        .collect();
    expected[7] = None;
    assert_eq!(seen, expected);
}

async fn a_segment_of_another_version_is_passed_over_and_an_older_one_made_again(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = sealed_batch(&tenant, 2).await;
    let mut plain = Plain::open(&db).await;
    for (format, is_due) in [(SEGMENT_FORMAT + 1, false), (SEGMENT_FORMAT - 1, true)] {
        plain.run(&format!("UPDATE segments SET format = {format}")).await;
        assert!(look(&tenant, batch_id).await.segment.is_none());
        let found = tenant
            .store
            .write("test", |tx| Box::pin(tx.reseal_outdated(None, 10, later(1))));
        assert_eq!(found.await.unwrap().is_some(), is_due, "version {format}");
    }
    // What says that it is of this version and is not does not open.
    plain
        .run(&format!("UPDATE segments SET format = {SEGMENT_FORMAT}"))
        .await;
    assert!(look(&tenant, batch_id).await.segment.is_some());
}

async fn a_head_that_does_not_count_the_batchs_rows_is_passed_over(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = tenant.submit_many(3).await;
    tenant.finish_all(dollars(1), NOW).await;
    claim(&tenant.store, later(60), NOW).await;
    assert!(store_segment(&tenant, batch_id, segment(2, &[]), later(60)).await);
    assert!(look(&tenant, batch_id).await.segment.is_none());
}

async fn a_part_opens_in_its_own_place_only(db: TestDatabase) {
    let store = db.open().await;
    let (a, b) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let (one, two) = (sealed_batch(&a, 2).await, sealed_batch(&a, 2).await);
    let foreign = sealed_batch(&b, 2).await;
    let head = look(&a, one).await.segment.unwrap();
    let wanted = all_forms(one, &head);
    // Another head than the one it was made with: other numbers, other keys.
    let mut other = (*head).clone();
    other.parts[0].crc32 += 1;
    assert!(
        read(&a, all_forms(one, &Arc::new(other))).await[..3]
            .iter()
            .all(Option::is_none)
    );
    let mut other = (*head).clone();
    other.keys.pop();
    assert!(
        read(&a, all_forms(one, &Arc::new(other)))
            .await
            .iter()
            .all(Option::is_none)
    );
    // Bytes that were moved: to another form, another part, another batch, another requester's.
    let mut plain = Plain::open(&db).await;
    let place = |plain: &Plain, batch: BatchId, part: u8, form: u8| {
        format!(
            "batch_id = {} AND part_no = {part} AND form = {form}",
            plain.id(batch.uuid())
        )
    };
    let target = place(&plain, one, 0, 1);
    let keep = plain
        .blobs(&format!("SELECT sealed FROM segment_parts WHERE {target}"))
        .await;
    for source in [
        place(&plain, one, 0, 2),
        place(&plain, one, 1, 1),
        place(&plain, two, 0, 1),
        place(&plain, foreign, 0, 1),
    ] {
        let moved = format!(
            "UPDATE segment_parts SET sealed = (SELECT s.sealed FROM segment_parts s WHERE {}) WHERE {target}",
            source
                .replace("batch_id", "s.batch_id")
                .replace("part_no", "s.part_no")
                .replace("form =", "s.form =")
        );
        assert_eq!(plain.run(&moved).await, 1);
        assert_eq!(read(&a, wanted[..1].to_vec()).await, [None], "{source}");
    }
    plain.set("segment_parts", "sealed", &target, &keep[0]).await;
    assert!(read(&a, wanted).await.iter().all(Option::is_some));
    // A head is its batch's own too.
    let moved = format!(
        "UPDATE segments SET head = (SELECT s.head FROM segments s WHERE s.batch_id = {}) WHERE batch_id = {}",
        plain.id(two.uuid()),
        plain.id(one.uuid())
    );
    plain.run(&moved).await;
    assert!(look(&a, one).await.segment.is_none());
}

async fn every_altered_byte_is_found(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let batch_id = sealed_batch(&tenant, 2).await;
    let head = look(&tenant, batch_id).await.segment.unwrap();
    let wanted = all_forms(batch_id, &head);
    let mut plain = Plain::open(&db).await;
    for (no, part) in wanted.iter().enumerate() {
        let target = format!("part_no = {} AND form = {}", part.part_no, part.form as i16);
        let kept = plain
            .blobs(&format!("SELECT sealed FROM segment_parts WHERE {target}"))
            .await;
        for at in 0..kept[0].len() {
            let mut altered = kept[0].clone();
            altered[at] ^= 1 << (at % 8);
            plain.set("segment_parts", "sealed", &target, &altered).await;
            assert_eq!(
                read(&tenant, vec![part.clone()]).await,
                [None],
                "part {no}, byte {at}"
            );
        }
        plain.set("segment_parts", "sealed", &target, &kept[0]).await;
    }
    assert!(read(&tenant, wanted).await.iter().all(Option::is_some));
    let kept = plain.blobs("SELECT head FROM segments").await;
    for at in 0..kept[0].len() {
        let mut altered = kept[0].clone();
        altered[at] ^= 1 << (at % 8);
        plain.set("segments", "head", "1 = 1", &altered).await;
        assert!(
            look(&tenant, batch_id).await.segment.is_none(),
            "byte {at} of the head"
        );
    }
}
