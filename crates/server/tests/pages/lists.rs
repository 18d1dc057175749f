//! The overview, the list of batches, one batch and one authorizer.

use tidemark_domain::user::Role;
use tidemark_store::on_both_databases;
use tidemark_store::testing::TestDatabase;

use crate::support::{HEADER, LENDER, Site, authorizer, record};

on_both_databases! {
    what_has_an_id_is_found_and_what_was_typed_is_never_repeated
    a_filter_lets_through_what_it_says
    a_long_list_has_pages_that_lead_on_and_back
    a_batch_shows_its_results_by_status_with_masked_phones
    an_authorizer_shows_every_result
    the_overview_shows_what_runs_and_what_came
    what_is_another_requesters_is_not_there
}

async fn what_has_an_id_is_found_and_what_was_typed_is_never_repeated(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let batch = site
        .submit(&[authorizer("z9", "BAL1"), authorizer("loan 7/ä", "BAL100")])
        .await;
    let find = async |text: &str| vera.post("/batches/find", &[("q", text)]).await;
    assert_eq!(
        find(&format!(" {batch} ")).await.goes_to(),
        format!("/batches/{batch}")
    );
    // Authorizers are indexed soon after.
    site.until(async || find("loan 7/ä").await.status == 303).await;
    assert_eq!(
        find("loan 7/ä").await.goes_to(),
        format!("/authorizers/{batch}/2")
    );
    for nothing in [
        "loan 7",
        "LOAN 7/Ä",
        "8ac1f4a6-1234-4abc-9d3e-001122334455",
        "<q7>",
    ] {
        let page = find(nothing).await;
        page.says(200, &["Nothing has this id", &batch]);
        page.does_not_say(&[nothing, "&#60;q7"]);
    }
    find("").await.says(200, &["Nothing has this id"]);
    let olga = site.stranger().await;
    for theirs in [batch.as_str(), "loan 7/ä"] {
        olga.post("/batches/find", &[("q", theirs)])
            .await
            .says(200, &["Nothing has this id"]);
    }
}

async fn a_filter_lets_through_what_it_says(db: TestDatabase) {
    let site = Site::start(db).await;
    let jane = site.person(LENDER, "Jane Doe", Role::Operator).await;
    let by_api = site.submit(&[authorizer("a1", "BAL1")]).await;
    let by_jane = jane.submit(&format!("{HEADER}\n{}", record("b1"))).await;
    site.processed(&by_api).await;
    site.processed(&by_jane).await;
    let (year, month, day) = site.running.engine().now().date();
    let today = format!("{year:04}-{month:02}-{day:02}");
    for (query, api, own) in [
        ("".to_owned(), true, true),
        ("creator=api".to_owned(), true, false),
        ("creator=user%3AJane+Doe".to_owned(), false, true),
        ("creator=user%3ANobody".to_owned(), false, false),
        ("state=COMPLETED&creator=&from=&until=".to_owned(), true, true),
        ("state=PENDING".to_owned(), false, false),
        (format!("from={today}&until={today}"), true, true),
        ("until=2020-01-01".to_owned(), false, false),
        ("from=2999-01-01".to_owned(), false, false),
        (
            "from=x&until=1.1.2020&state=x&creator=x&after=x".to_owned(),
            true,
            true,
        ),
    ] {
        let page = jane.get(&format!("/batches?{query}")).await;
        page.says(200, &["Jane Doe</option>", "API</option>"]);
        let shows = |id: &str| page.text.contains(&format!("href=\"/batches/{id}\""));
        assert_eq!((shows(&by_api), shows(&by_jane)), (api, own), "{query}");
    }
    let page = jane.get(&format!("/batches?from={today}&state=COMPLETED")).await;
    page.says(
        200,
        &[
            &format!("value=\"{today}\""),
            "value=\"COMPLETED\" selected",
            "1–2 of 2",
        ],
    );
}

async fn a_long_list_has_pages_that_lead_on_and_back(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let mut ids = Vec::new();
    for n in 0..53 {
        ids.push(site.submit(&[authorizer(&format!("a{n}"), "BAL1")]).await);
    }
    let first = vera.get("/batches?creator=api").await;
    first.says(200, &["1–50 of 53", &ids[52], &ids[3]]);
    first.does_not_say(&[&ids[2]]);
    let next = href_before(&first.text, "Next");
    let second = vera.get(&next).await;
    second.says(200, &["51–53 of 53", &ids[2], &ids[0]]);
    second.does_not_say(&[&ids[3]]);
    assert!(!second.text.contains(">Next<"));
    assert!(
        second.text.contains("href=\"/batches?creator=api\""),
        "{}",
        second.text
    );
}

/// The address of the link with these words.
fn href_before(html: &str, words: &str) -> String {
    let end = html.find(&format!(">{words}<")).unwrap();
    let from = html[..end].rfind("href=\"").unwrap() + 6;
    let to = html[from..].find('"').unwrap() + from;
    html[from..to].replace("&#38;", "&").replace("&amp;", "&")
}

async fn a_batch_shows_its_results_by_status_with_masked_phones(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let mut people: Vec<_> = (0..51)
        .map(|n| authorizer(&format!("good{n}"), "BAL2843.51"))
        .collect();
    people.push(authorizer("bad-1", "x9005"));
    let batch = site.submit(&people).await;
    site.processed(&batch).await;
    let page = vera.get(&format!("/batches/{batch}")).await;
    page.says(
        200,
        &[
            "1–50 of 52",
            "$2,843.51",
            "4567</span>",
            "Bank of America",
            "curl -fsS",
        ],
    );
    page.does_not_say(&["5551234567", "000-12-3456", "BAL2843"]);
    let page = vera.get(&href_before(&page.text, "Next")).await;
    page.says(200, &["51–52 of 52"]);
    let success = vera.get(&format!("/batches/{batch}?status=SUCCESS")).await;
    success.says(
        200,
        &["1–50 of 51", "status=SUCCESS", "value=\"SUCCESS\" selected"],
    );
    success.does_not_say(&["bad-1"]);
    let none = vera.get(&format!("/batches/{batch}?status=RETRY_LIMIT")).await;
    none.says(200, &["No result has this status"]);
    vera.get(&format!("/batches/{batch}?status=x"))
        .await
        .says(200, &["1–50 of 52"]);
}

async fn an_authorizer_shows_every_result(db: TestDatabase) {
    let site = Site::start(db).await;
    let jane = site.person(LENDER, "Jane Doe", Role::Operator).await;
    let one = site
        .submit(&[authorizer("z1", "BAL1"), authorizer("loan-7", "BAL250")])
        .await;
    let two = jane.submit(&format!("{HEADER}\n{}", record("loan-7"))).await;
    site.processed(&one).await;
    site.processed(&two).await;
    let path = format!("/authorizers/{one}/2");
    site.until(async || jane.get(&path).await.text.contains(&two))
        .await;
    let page = jane.get(&path).await;
    page.says(
        200,
        &[
            "loan-7",
            "$250.00",
            "$100.00",
            "Jane Doe",
            "Bank of America",
            "2 results",
            &one,
            "Balance over time",
        ],
    );
    page.does_not_say(&["5551234567", "z1"]);
    for none in [
        format!("/authorizers/{one}/3"),
        format!("/authorizers/{one}/x"),
        "/authorizers/x/1".to_owned(),
        format!("/authorizers/{one}/-1"),
    ] {
        jane.get(&none).await.says(404, &["This page does not exist"]);
    }
}

async fn the_overview_shows_what_runs_and_what_came(db: TestDatabase) {
    let site = Site::start(db).await;
    let jane = site.person(LENDER, "Jane Doe", Role::Operator).await;
    jane.get("/").await.says(200, &["Welcome, Jane Doe"]);
    let batch = site
        .submit(&[
            authorizer("a1", "BAL60"),
            authorizer("a2", "x9005"),
            authorizer("a3", "BAL0"),
        ])
        .await;
    site.processed(&batch).await;
    let page = jane.get("/?days=7").await;
    page.says(200, &["The last 7 days", "66.7%", "Account closed"]);
    jane.get("/?days=8").await.says(200, &["The last 30 days"]);
    // Counted by day once the batch's segment is made.
    site.until(async || jane.get("/").await.text.contains("Bank of America"))
        .await;
    jane.get("/")
        .await
        .says(200, &["$0 and less", "$50 to $100", "66.7%"]);
}

async fn what_is_another_requesters_is_not_there(db: TestDatabase) {
    let site = Site::start(db).await;
    let batch = site.submit(&[authorizer("lenders-own", "BAL1")]).await;
    let olga = site.stranger().await;
    let nobody = "8ac1f4a6-1234-4abc-9d3e-001122334455";
    for id in [batch.as_str(), nobody, "x", "%ff", "..%2f"] {
        for path in [
            format!("/batches/{id}"),
            format!("/batches/{id}/live"),
            format!("/authorizers/{id}/1"),
        ] {
            let page = olga.get(&path).await;
            page.says(404, &["This page does not exist"]);
            page.does_not_say(&["lenders-own"]);
        }
    }
    olga.get("/batches").await.does_not_say(&[&batch]);
    olga.get("/").await.does_not_say(&[&batch]);
}
