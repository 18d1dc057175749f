//! Uploaded files: whole, their user's alone, and gone in time.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::DraftId;
use tidemark_store::testing::{NOW, Plain, TestDatabase};
use tidemark_store::{Draft, DraftContent, DraftHead, DraftOwner, Error, SealedDraftPart};
use uuid::Uuid;

use crate::common::{Tenant, later, random};

tidemark_store::on_both_databases! {
    a_file_comes_back_whole_with_its_name
    a_file_is_its_users_alone
    a_file_that_is_not_whole_is_none
    a_part_that_was_moved_altered_or_lost_is_found
    a_user_has_five_files_and_the_oldest_make_room
    what_was_submitted_is_told_and_its_file_is_gone
    a_file_is_forgotten_when_its_time_is_over
}

pub(crate) const USER: Uuid = Uuid::from_bytes([5; 16]);
const OTHER: Uuid = Uuid::from_bytes([6; 16]);
const LIFETIME: u64 = 3_600;

const fn owner(tenant: &Tenant, user_id: Uuid) -> DraftOwner {
    DraftOwner {
        requester_id: tenant.id,
        user_id,
    }
}

async fn begin(tenant: &Tenant, user_id: Uuid, (name, parts): (&str, &[&[u8]]), at: Timestamp) -> DraftId {
    let (owner, id) = (owner(tenant, user_id), DraftId::new(at, random()));
    let head = DraftHead {
        name: name.to_owned(),
        len: parts.iter().map(|part| part.len()).sum(),
    };
    let sealed: Vec<SealedDraftPart> = (0..)
        .zip(parts)
        .map(|(no, part)| SealedDraftPart::seal(&tenant.keys, id, no, part.to_vec()).unwrap())
        .collect();
    let until = at.after(std::time::Duration::from_secs(LIFETIME));
    let begun = tenant.store.write("test", move |tx| {
        Box::pin(async move {
            tx.begin_draft(owner, id, &head, (at, until)).await?;
            for (no, part) in (0..).zip(&sealed) {
                tx.add_draft_part((owner.requester_id, id), no, part).await?;
            }
            Ok::<_, Error>(())
        })
    });
    begun.await.unwrap();
    id
}

/// Keeps a file of these parts.
pub(crate) async fn keep(
    tenant: &Tenant,
    user_id: Uuid,
    name: &str,
    parts: &[&[u8]],
    at: Timestamp,
) -> DraftId {
    let id = begin(tenant, user_id, (name, parts), at).await;
    let (place, parts) = ((tenant.id, id), i32::try_from(parts.len()).unwrap());
    let ended = tenant
        .store
        .write("test", move |tx| Box::pin(tx.end_draft(place, parts)));
    ended.await.map_err(|error: Error| error.to_string()).unwrap();
    id
}

async fn look(tenant: &Tenant, user_id: Uuid, id: DraftId) -> Result<Option<Draft>, Error> {
    tenant.store.draft(owner(tenant, user_id), id, later(1)).await
}

async fn file(tenant: &Tenant, user_id: Uuid, id: DraftId) -> Option<Vec<u8>> {
    match look(tenant, user_id, id).await.unwrap()?.content {
        DraftContent::File(file) => Some(file),
        DraftContent::Submitted(_) => panic!("a submitted file"),
    }
}

async fn parts(db: &TestDatabase) -> i64 {
    Plain::open(db)
        .await
        .number("SELECT COUNT(*) FROM draft_parts")
        .await
}

async fn a_file_comes_back_whole_with_its_name(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let id = keep(&tenant, USER, "März.csv", &[b"one,", b"two\n", b"\xff"], NOW).await;
    let draft = look(&tenant, USER, id).await.unwrap().unwrap();
    assert_eq!(
        (&*draft.name, draft.created_at, draft.expires_at),
        ("März.csv", NOW, later(LIFETIME))
    );
    assert!(matches!(draft.content, DraftContent::File(file) if file == b"one,two\n\xff"));
    let empty = keep(&tenant, USER, "", &[], NOW).await;
    assert_eq!(file(&tenant, USER, empty).await.unwrap(), b"");
}

async fn a_file_is_its_users_alone(db: TestDatabase) {
    let store = db.open().await;
    let (tenant, stranger) = (Tenant::add(&store, "A").await, Tenant::add(&store, "B").await);
    let id = keep(&tenant, USER, "a", &[b"private"], NOW).await;
    assert!(look(&tenant, OTHER, id).await.unwrap().is_none());
    assert!(look(&stranger, USER, id).await.unwrap().is_none());
    for (tenant, user_id) in [(&tenant, OTHER), (&stranger, USER)] {
        let owner = owner(tenant, user_id);
        let batch_id = tenant.submit_many(1).await;
        let tried = tenant.store.write("test", move |tx| {
            Box::pin(async move {
                tx.draft_submitted(owner, id, batch_id).await?;
                tx.drop_draft(owner, id).await
            })
        });
        tried.await.map_err(|error: Error| error.to_string()).unwrap();
    }
    assert_eq!(file(&tenant, USER, id).await.unwrap(), b"private");
    let own = owner(&tenant, USER);
    let dropped = tenant
        .store
        .write("test", move |tx| Box::pin(tx.drop_draft(own, id)));
    dropped.await.map_err(|error: Error| error.to_string()).unwrap();
    assert!(look(&tenant, USER, id).await.unwrap().is_none());
    assert_eq!(parts(&db).await, 0);
}

async fn a_file_that_is_not_whole_is_none(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let id = begin(&tenant, USER, ("a", &[b"half"]), NOW).await;
    assert!(look(&tenant, USER, id).await.unwrap().is_none());
}

async fn a_part_that_was_moved_altered_or_lost_is_found(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let id = keep(&tenant, USER, "a", &[b"aaa", b"bbb"], NOW).await;
    let mut plain = Plain::open(&db).await;
    let is_corrupt = async || matches!(look(&tenant, USER, id).await, Err(Error::Corrupt { .. }));
    assert!(!is_corrupt().await);
    let one = plain
        .blobs("SELECT sealed FROM draft_parts WHERE part_no = 1")
        .await;
    let zero = plain
        .blobs("SELECT sealed FROM draft_parts WHERE part_no = 0")
        .await;
    plain.set("draft_parts", "sealed", "part_no = 1", &zero[0]).await;
    assert!(is_corrupt().await);
    plain.set("draft_parts", "sealed", "part_no = 1", &one[0]).await;
    assert!(!is_corrupt().await);
    plain.run("UPDATE drafts SET parts = 1").await;
    assert!(is_corrupt().await);
    plain.run("UPDATE drafts SET parts = 2").await;
    let head = plain.blobs("SELECT head FROM drafts").await.remove(0);
    let mut altered = head.clone();
    altered[30] ^= 1;
    plain.set("drafts", "head", "1 = 1", &altered).await;
    assert!(is_corrupt().await);
    plain.set("drafts", "head", "1 = 1", &head).await;
    plain.run("DELETE FROM draft_parts WHERE part_no = 1").await;
    assert!(look(&tenant, USER, id).await.unwrap().is_none());
}

async fn a_user_has_five_files_and_the_oldest_make_room(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let others = keep(&tenant, OTHER, "other", &[b"x"], NOW).await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(
            keep(
                &tenant,
                USER,
                "a",
                &[b"x"],
                NOW.after(std::time::Duration::from_millis(n)),
            )
            .await,
        );
    }
    let mut there = Vec::new();
    for id in &ids {
        there.push(look(&tenant, USER, *id).await.unwrap().is_some());
    }
    assert_eq!(there, [false, false, true, true, true, true, true]);
    assert!(look(&tenant, OTHER, others).await.unwrap().is_some());
    assert_eq!(parts(&db).await, 6);
}

async fn what_was_submitted_is_told_and_its_file_is_gone(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let (id, batch_id) = (
        keep(&tenant, USER, "a", &[b"x"], NOW).await,
        tenant.submit_many(1).await,
    );
    let own = owner(&tenant, USER);
    let noted = tenant
        .store
        .write("test", move |tx| Box::pin(tx.draft_submitted(own, id, batch_id)));
    noted.await.map_err(|error: Error| error.to_string()).unwrap();
    let draft = look(&tenant, USER, id).await.unwrap().unwrap();
    assert!(matches!(draft.content, DraftContent::Submitted(found) if found == batch_id));
    assert_eq!(parts(&db).await, 0);
}

async fn a_file_is_forgotten_when_its_time_is_over(db: TestDatabase) {
    let tenant = Tenant::add(&db.open().await, "A").await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(
            keep(
                &tenant,
                Uuid::from_bytes([n; 16]),
                "a",
                &[b"x"],
                later(u64::from(n)),
            )
            .await,
        );
    }
    let at = async |seconds| {
        let found = tenant
            .store
            .draft(owner(&tenant, Uuid::from_bytes([0; 16])), ids[0], later(seconds));
        found.await.unwrap().is_some()
    };
    assert!(at(LIFETIME - 1).await && !at(LIFETIME).await);
    let forget = async |seconds| {
        let forgotten = tenant
            .store
            .write("test", move |tx| Box::pin(tx.forget_drafts(later(seconds), 2)));
        forgotten.await.map_err(|error: Error| error.to_string()).unwrap()
    };
    assert_eq!(forget(LIFETIME - 1).await, 0);
    assert_eq!((forget(LIFETIME + 9).await, parts(&db).await), (2, 1));
    assert_eq!((forget(LIFETIME + 9).await, parts(&db).await), (1, 0));
}
