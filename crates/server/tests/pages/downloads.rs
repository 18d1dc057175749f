//! `POST /batches/download`: ticked batches as one file.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use reqwest::Method;
use serde_json::json;
use tidemark_domain::user::Role;
use tidemark_store::testing::TestDatabase;
use tidemark_store::{ActivityFilter, on_both_databases};

use crate::support::{LENDER, Site, authorizer};

on_both_databases! {
    a_csv_file_is_the_apis_with_a_formula_guard
    a_workbook_keeps_zeros_and_runs_nothing
    without_a_batch_of_ones_own_there_is_no_file
    whoever_takes_results_out_is_told_of
    a_file_of_a_running_batch_is_called_partial
}

/// Three finished batches.
async fn three(site: &Site) -> Vec<String> {
    let mut ids = Vec::new();
    for batch in ["a", "b", "c"] {
        let mut one = authorizer(&format!("{batch}1"), "BAL-83.68");
        one["address"] = json!({"zip_code": "02134"});
        one["metadata"] = json!({"note": "=1+1", batch: "+x"});
        ids.push(
            site.submit(&[one, authorizer(&format!("{batch}2"), "x9005")])
                .await,
        );
    }
    for id in &ids {
        site.processed(id).await;
    }
    ids
}

fn ticked<'a>(ids: &'a [String], format: &'a str) -> Vec<(&'a str, &'a str)> {
    let ids = ids.iter().map(|id| ("batch_ids", id.as_str()));
    ids.chain([("format", format)]).collect()
}

async fn a_csv_file_is_the_apis_with_a_formula_guard(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let ids = three(&site).await;
    let query: Vec<String> = ids.iter().map(|id| format!("batch_ids={id}")).collect();
    let path = format!("/v1/balances/csv?formula_guard=on&{}", query.join("&"));
    for codings in ["identity", "gzip, deflate, br", "gzip, deflate, br, zstd"] {
        let (headers, expected) = site.api(&path, codings).await;
        let form = vera.form("/batches/download", &ticked(&ids, "csv"));
        let answer = form.header("accept-encoding", codings).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        for name in [
            "content-type",
            "content-encoding",
            "tidemark-row-count",
            "cache-control",
        ] {
            assert_eq!(answer.headers().get(name), headers.get(name), "{name}");
        }
        let name = answer.headers()["content-disposition"].to_str().unwrap();
        assert!(name.starts_with("attachment; filename=\"batch-export-2") && name.ends_with(".csv\""));
        assert_eq!(answer.bytes().await.unwrap(), expected);
    }
    let page = vera.post("/batches/download", &ticked(&ids, "csv")).await;
    page.says(200, &[",02134,", ",'=1+1\n", ",'+x,"]);
}

async fn a_workbook_keeps_zeros_and_runs_nothing(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let ids = three(&site).await;
    let query: Vec<String> = ids.iter().map(|id| format!("batch_ids={id}")).collect();
    let (_, csv) = site
        .api(&format!("/v1/balances/csv?{}", query.join("&")), "identity")
        .await;
    let form = vera.form("/batches/download", &ticked(&ids, "xlsx"));
    let answer = form.send().await.unwrap();
    let head = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        head("content-type"),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    );
    assert!(head("content-disposition").ends_with(".xlsx\""));
    assert_eq!(head("tidemark-row-count"), "6");
    let bytes = answer.bytes().await.unwrap();
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let sheet = workbook.worksheet_range_at(0).unwrap().unwrap();
    let mut lines = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv.as_slice());
    let lines: Vec<csv::StringRecord> = lines.records().map(Result::unwrap).collect();
    assert_eq!((sheet.height(), lines.len()), (7, 7));
    for (row, line) in sheet.rows().zip(&lines) {
        for (cell, text) in row.iter().zip(line) {
            match cell {
                Data::Float(number) => assert_eq!(format!("{number:.2}"), text),
                Data::Empty => assert_eq!(text, ""),
                cell => assert_eq!(*cell, Data::String(text.to_owned())),
            }
        }
    }
    let holds = |text: &str| {
        sheet
            .used_cells()
            .any(|(_, _, cell)| *cell == Data::String(text.to_owned()))
    };
    for text in ["02134", "+15551234567", "=1+1", "+x"] {
        assert!(holds(text), "{text}");
    }
    let formulas = workbook.worksheet_formula("Results").or_else(|_| {
        let name = workbook.sheet_names()[0].clone();
        workbook.worksheet_formula(&name)
    });
    assert!(
        formulas
            .unwrap()
            .used_cells()
            .all(|(_, _, formula)| formula.is_empty())
    );
}

async fn without_a_batch_of_ones_own_there_is_no_file(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let ids = three(&site).await;
    for format in ["csv", "xlsx"] {
        let page = vera.post("/batches/download", &[("format", format)]).await;
        page.says(422, &["Tick at least one batch", &ids[0]]);
        let page = vera
            .post("/batches/download", &[("batch_ids", "x"), ("format", format)])
            .await;
        page.says(404, &["This page does not exist"]);
    }
    let many = vec![("batch_ids", ids[0].as_str()); 10_001];
    let page = vera.post("/batches/download", &many).await;
    page.says(422, &["10,000 batches at most"]);
    let olga = site.stranger().await;
    for format in ["csv", "xlsx"] {
        let page = olga.post("/batches/download", &ticked(&ids, format)).await;
        page.says(404, &["This page does not exist"]);
        page.does_not_say(&["02134"]);
    }
}

async fn whoever_takes_results_out_is_told_of(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    let ids = three(&site).await;
    let csv = vera.post("/batches/download", &ticked(&ids, "csv")).await;
    csv.says(200, &["Authorizer ID,"]);
    let form = vera.form("/batches/download", &ticked(&ids[..1], "xlsx"));
    assert_eq!(form.send().await.unwrap().status(), 200);
    let path = format!("/v1/balances/csv?batch_ids={}", ids[1]);
    let (headers, _) = site.api(&path, "identity").await;
    // None of these takes anything out.
    let request = |method| {
        site.client
            .request(method, site.url(&path))
            .bearer_auth(&site.key)
    };
    let known = request(Method::GET).header("if-none-match", &headers["etag"]);
    assert_eq!(known.send().await.unwrap().status(), 304);
    assert_eq!(request(Method::HEAD).send().await.unwrap().status(), 200);
    let olga = site.stranger().await;
    olga.post("/batches/download", &ticked(&ids, "csv"))
        .await
        .says(404, &[]);
    let engine = site.running.engine();
    let filter = ActivityFilter {
        actor: None,
        action: Some("batch.export".to_owned()),
    };
    let requester_id = vera.signed.user.requester_id;
    let told = engine.store().activity(requester_id, filter, None, 50).await;
    let told: Vec<_> = told.unwrap().entries.into_iter().rev().collect();
    let objects: Vec<&str> = told.iter().map(|entry| entry.object.as_str()).collect();
    assert_eq!(objects, [&ids.join(","), &ids[0], &ids[1]]);
    let vera_id = format!("user:{}", vera.signed.user.user_id);
    assert!(told[..2].iter().all(|entry| entry.actor == vera_id));
    assert!(told[2].actor.starts_with("api_key:"));
    for entry in &told {
        assert_eq!(entry.address.as_deref(), Some("127.0.0.1"));
        assert!(entry.request_id.is_some());
    }
    let ada = site.person(LENDER, "Ada Admin", Role::Admin).await;
    let page = ada.get("/activity?what=batch.export").await;
    page.says(
        200,
        &[
            "Vera Viewer",
            "Downloaded results",
            &format!("{} and 2 more", ids[0]),
        ],
    );
}

async fn a_file_of_a_running_batch_is_called_partial(db: TestDatabase) {
    let site = Site::start(db).await;
    let vera = site.person(LENDER, "Vera Viewer", Role::Viewer).await;
    // The second account answers after twenty seconds.
    let people = [authorizer("a1", "BAL100"), authorizer("a2", "x9012")];
    let id = site.submit(&people).await;
    let page = async || vera.get(&format!("/batches/{id}")).await;
    site.until(async || page().await.text.contains("<strong>1</strong> of 2"))
        .await;
    page().await.says(
        200,
        &[
            "A file downloaded now holds the 1 result so far.",
            "Show the latest results",
        ],
    );
    for end in ["csv", "xlsx"] {
        let fields = ticked(std::slice::from_ref(&id), end);
        let answer = vera.form("/batches/download", &fields).send().await.unwrap();
        let name = answer.headers()["content-disposition"].to_str().unwrap();
        assert!(name.ends_with(&format!(".partial.{end}\"")), "{name}");
    }
}
