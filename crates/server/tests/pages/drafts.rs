//! `/batches/new`: from a file to a batch.

use tidemark_domain::user::Role;
use tidemark_store::testing::TestDatabase;
use tidemark_store::{ActivityFilter, on_both_databases};

use crate::support::{HEADER, LENDER, Person, Site, record};

on_both_databases! {
    what_is_wrong_is_shown_and_what_is_good_is_submitted_by_its_creator
    a_draft_becomes_one_batch_however_often_it_is_submitted
    a_file_that_cannot_be_read_says_why_and_is_not_kept
    card_codes_are_not_kept
    drafts_are_their_users_own
    faults_come_in_pages
}

async fn what_is_wrong_is_shown_and_what_is_good_is_submitted_by_its_creator(db: TestDatabase) {
    let site = Site::start(db).await;
    let jane = site.person(LENDER, "Jane Doe", Role::Operator).await;
    let file = format!(
        "{HEADER}\n{}b1,5551234567,12,BAL100,026009593\n{}b2,5551234567,000-12-3456,BAL100,111\n",
        record("a1"),
        record("a2")
    );
    let draft = jane.draft(&file).await;
    let page = jane.get(&draft).await;
    page.says(
        200,
        &[
            "2 of 4 records can be submitted",
            "people.csv",
            ">b1<",
            "<code>ssn</code>",
            ">b2<",
            "<code>routing_number</code>",
            "1–2 of 2 faults",
            "Submit the 2 good ones",
        ],
    );
    page.does_not_say(&["000-12-3456", "5551234567", "BAL100", "This very file"]);
    let failed = jane.get(&format!("{draft}/failed.csv")).await;
    failed.says(
        200,
        &[
            "error_field,error_code,error_message,authorizer_unique_id",
            ",b1,5551234567,12,",
            ",b2,",
        ],
    );
    assert_eq!(failed.header("content-type"), "text/csv; charset=utf-8");
    assert!(
        failed
            .header("content-disposition")
            .starts_with("attachment; filename=\"failed-records-")
    );
    assert_eq!(failed.text.lines().count(), 3);

    let batch = jane.post(&format!("{draft}/submit"), &[]).await.goes_to();
    jane.get(&batch)
        .await
        .says(200, &["The batch is submitted.", "Jane Doe"]);
    let id = batch
        .strip_prefix("/batches/")
        .unwrap()
        .split('?')
        .next()
        .unwrap();
    site.processed(id).await;
    let (_, csv) = site
        .api(&format!("/v1/balances/csv?batch_ids={id}"), "identity")
        .await;
    let mut lines = csv::ReaderBuilder::new().from_reader(csv.as_slice());
    let creators: Vec<String> = lines.records().map(|line| line.unwrap()[7].to_owned()).collect();
    assert_eq!(creators, ["Jane Doe", "Jane Doe"]);
    assert_submitted_by(&site, &jane, id).await;

    assert_eq!(jane.get(&draft).await.goes_to(), format!("/batches/{id}"));
    assert_eq!(jane.get(&format!("{draft}/failed.csv")).await.status, 404);
    let again = jane.draft(&file).await;
    jane.get(&again)
        .await
        .says(200, &["This very file was submitted", id]);
}

/// What the audit trail says of a batch.
async fn assert_submitted_by(site: &Site, person: &Person<'_>, id: &str) {
    let store = site.running.engine().store();
    let acts = store
        .activity(
            person.signed.user.requester_id,
            ActivityFilter::default(),
            None,
            10,
        )
        .await
        .unwrap();
    let act = acts
        .entries
        .iter()
        .find(|act| act.action == "batch.submit")
        .unwrap();
    assert_eq!(act.actor, format!("user:{}", person.signed.user.user_id));
    assert_eq!(act.object, id);
}

async fn a_draft_becomes_one_batch_however_often_it_is_submitted(db: TestDatabase) {
    let site = Site::start(db).await;
    let jane = site.person(LENDER, "Jane Doe", Role::Admin).await;
    let draft = jane.draft(&format!("{HEADER}\n{}", record("a1"))).await;
    let submit = format!("{draft}/submit");
    let (one, other, third) = tokio::join!(
        jane.post(&submit, &[]),
        jane.post(&submit, &[]),
        jane.post(&submit, &[])
    );
    let last = jane.post(&submit, &[]).await;
    let mut goals = [&one, &other, &third, &last].map(|page| page.goes_to());
    goals.sort();
    assert!(goals[0].ends_with("?done=submitted"), "{goals:?}");
    for before in &goals[1..] {
        assert_eq!(*before, format!("{}-before", goals[0]));
    }
    assert_eq!(site.batch_count().await, 1);
}

async fn a_file_that_cannot_be_read_says_why_and_is_not_kept(db: TestDatabase) {
    let site = Site::start(db).await;
    let jane = site.person(LENDER, "Jane Doe", Role::Operator).await;
    jane.get("/batches/new")
        .await
        .says(200, &["Up to 5,000 records", "sample"]);
    for (name, media_type, file, text) in [
        ("people.csv", "text/csv", "", "people.csv was not taken"),
        ("people.csv", "text/csv", "a,b\n1,2\n", "lacks required columns"),
        (
            "a/../<b>.csv",
            "text/csv",
            HEADER,
            "&#60;b&#62;.csv was not taken",
        ),
        (
            "people.xlsx",
            "application/zip",
            "PK\u{3}\u{4}",
            "It is not a CSV file.",
        ),
        ("", "application/octet-stream", "", "Please choose a file"),
    ] {
        let page = jane.upload(name, media_type, file.as_bytes()).await;
        page.says(422, &[text, "Nothing was submitted."]);
    }
    // A browser's own word for a file that is called so.
    let odd = jane
        .upload(
            "people.CSV",
            "text/plain",
            format!("{HEADER}\n{}", record("a1")).as_bytes(),
        )
        .await;
    assert!(odd.goes_to().starts_with("/batches/new/"));
    let large = jane
        .upload("people.csv", "text/csv", &vec![b'x'; (64 << 20) + 1])
        .await;
    large.says(422, &["larger than 64 MiB"]);
}

async fn card_codes_are_not_kept(db: TestDatabase) {
    let site = Site::start(db).await;
    site.running.engine().set_cards(LENDER, true).await.unwrap();
    let jane = site.person(LENDER, "Jane Doe", Role::Operator).await;
    let header = "authorizer_unique_id,phone_number,ssn,debit_card_number,cvv,account_number,routing_number";
    let card = |code: &str| format!("{header}\na1,5551234567,000-12-3456,4111111111111111,{code},,\n");
    let page = jane.upload("cards.csv", "text/csv", card("123").as_bytes()).await;
    page.says(422, &["card codes in the column cvv"]);
    // The requester's approval counts: the card itself is good.
    let draft = jane.draft(&card(" ")).await;
    jane.get(&draft)
        .await
        .says(200, &["All 1 record can be submitted"]);
}

async fn drafts_are_their_users_own(db: TestDatabase) {
    let site = Site::start(db).await;
    let jane = site.person(LENDER, "Jane Doe", Role::Operator).await;
    let draft = jane.draft(&format!("{HEADER}\n{}", record("a1"))).await;
    let (luis, olga) = (
        site.person(LENDER, "Luis Moreno", Role::Admin).await,
        site.stranger().await,
    );
    for other in [&luis, &olga] {
        assert_eq!(other.get(&draft).await.status, 404);
        assert_eq!(other.get(&format!("{draft}/failed.csv")).await.status, 404);
        assert_eq!(other.post(&format!("{draft}/submit"), &[]).await.status, 404);
    }
    for none in [
        "/batches/new/x",
        "/batches/new/%ff",
        "/batches/new/00000000-0000-7000-8000-000000000000",
    ] {
        jane.get(none).await.says(404, &["This page does not exist"]);
    }
    assert_eq!(site.batch_count().await, 0);
    let viewer = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    assert_eq!(viewer.get("/batches/new").await.status, 403);
}

async fn faults_come_in_pages(db: TestDatabase) {
    let site = Site::start(db).await;
    let jane = site.person(LENDER, "Jane Doe", Role::Operator).await;
    let records: String = (1..=150)
        .map(|n| format!("f{n},5551234567,000-12-3456,BAL100,1\n"))
        .collect();
    let draft = jane.draft(&format!("{HEADER}\n{records}")).await;
    let next = format!("{draft}?page=2");
    let first = jane.get(&draft).await;
    first.says(
        200,
        &[
            "No record can be submitted yet",
            "1–100 of 150 faults",
            &next,
            ">f100<",
        ],
    );
    first.does_not_say(&[">f101<", "Submit the"]);
    let second = jane.get(&next).await;
    second.says(200, &["101–150 of 150 faults", ">f101<", ">f150<"]);
    second.does_not_say(&[">f100<"]);
    let nothing = jane.post(&format!("{draft}/submit"), &[]).await;
    assert_eq!(nothing.goes_to(), draft);
    assert_eq!(site.batch_count().await, 0);
}
