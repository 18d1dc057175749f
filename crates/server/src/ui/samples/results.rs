//! Pages of batches and results.

use tidemark_domain::money::Cents;
use tidemark_domain::outcome::Status;
use tidemark_domain::user::Role;

use super::{DAY, HOUR, MINUTE, SECOND, Sample, ago, batch_id, frame, outside, sample, with_notice};
use crate::ui::assets;
use crate::ui::format::Masked;
use crate::ui::views::*;

pub(super) fn all() -> Vec<Sample> {
    [batches(), batch(), new_batch(), drafts(), authorizers(), errors()]
        .into_iter()
        .flatten()
        .collect()
}

pub(super) fn creator(number: u8) -> Option<String> {
    match number % 4 {
        0 => None,
        1 => Some("Jane Doe".to_owned()),
        2 => Some("Luis Moreno".to_owned()),
        _ => Some("Renée Fournier-Delacroix".to_owned()),
    }
}

pub(super) fn live(number: u8, state: BatchState, total: u32, counts: [u32; 7]) -> BatchLive {
    BatchLive {
        batch_id: batch_id(number),
        state,
        submitted_at: ago(i64::from(number) * HOUR),
        completed_at: state
            .is_completed()
            .then(|| ago(i64::from(number) * HOUR - 4 * MINUTE)),
        creator: creator(number),
        total,
        counts,
    }
}

fn list(rows: Vec<BatchRow>) -> Batches {
    let choice = |value: &str, label: &str| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
    };
    Batches {
        frame: frame(Role::Admin),
        filter: BatchFilter::default(),
        creators: vec![
            choice("1", "Jane Doe"),
            choice("2", "Luis Moreno"),
            choice("api", "API"),
        ],
        find: Find::NotAsked,
        rows,
        paging: Paging {
            shown: "1–12 of 1,204".to_owned(),
            previous: None,
            next: Some("/batches?page=2".to_owned()),
        },
        error: None,
    }
}

fn rows() -> Vec<BatchRow> {
    (1..=12)
        .map(|number| {
            let live = match number {
                1 => live(1, BatchState::Processing, 1_200, [611, 41, 18, 24, 7, 2, 0]),
                4 => live(4, BatchState::Pending, 5_000, [0; 7]),
                7 => live(7, BatchState::Completed, 1, [1, 0, 0, 0, 0, 0, 0]),
                9 => live(9, BatchState::Completed, 48, [0, 0, 0, 0, 0, 48, 0]),
                _ => {
                    let more = u32::from(number) * 13;
                    live(
                        number,
                        BatchState::Completed,
                        200 + more,
                        [159 + more, 16, 5, 11, 4, 3, 2],
                    )
                }
            };
            BatchRow {
                batch_id: live.batch_id,
                submitted_at: live.submitted_at,
                creator: live.creator,
                state: live.state,
                total: live.total,
                counts: live.counts,
            }
        })
        .collect()
}

fn batches() -> Vec<Sample> {
    let mut filtered = list(Vec::new());
    filtered.filter = BatchFilter {
        from: "2026-11-01".to_owned(),
        until: "2026-11-02".to_owned(),
        creator: "2".to_owned(),
        state: Some(BatchState::Processing),
    };
    let mut not_found = list(rows());
    not_found.find = Find::NotFound;
    let mut none_ticked = list(rows());
    none_ticked.error = Some("Tick at least one batch, then download.".to_owned());
    let mut of_viewer = list(Vec::new());
    of_viewer.frame = frame(Role::Viewer);
    vec![
        sample("batches", &list(rows())),
        sample("batches-empty", &list(Vec::new())),
        sample("batches-empty-viewer", &of_viewer),
        sample("batches-filtered-empty", &filtered),
        sample("batches-not-found", &not_found),
        sample("batches-none-ticked", &none_ticked),
    ]
}

fn results(status: Option<Status>, count: i32) -> Results {
    let names = [
        "Bank of America",
        "Wells Fargo Bank",
        "Navy Federal Credit Union",
        "Ally Bank",
    ];
    let row = |place: i32| {
        let status = status.unwrap_or(match place % 9 {
            3 => Status::NoMatch,
            5 => Status::BankUnsupported,
            8 => Status::RetrievalFailed,
            _ => Status::Success,
        });
        ResultRow {
            row_no: place,
            authorizer_id: ["loan-2026-0", "A13343FDA-", "1286", "Łódź/2026/"]
                [usize::try_from(place % 4).unwrap()]
            .to_owned()
                + &(600 + place).to_string(),
            institution: (status != Status::BankUnsupported)
                .then(|| names[usize::try_from(place % 4).unwrap()].to_owned()),
            phone: (place % 3 > 0).then(|| Masked::last_four("5125550142")),
            balance: (status == Status::Success)
                .then(|| Cents::new(i64::from(place * place % 89) * 7_133 - 21_368)),
            status,
            recorded_at: ago(2 * HOUR - i64::from(place) * SECOND),
        }
    };
    Results {
        status,
        rows: (1..=count).map(row).collect(),
        paging: Paging {
            shown: format!("1–{count} of 195"),
            previous: Some("/batches?before=1".to_owned()),
            next: Some("/batches?after=50".to_owned()),
        },
    }
}

fn one(live: BatchLive, results: Results) -> Batch {
    Batch {
        frame: frame(Role::Admin),
        live,
        results,
        api_url: "https://tidemark.example".to_owned(),
    }
}

fn batch() -> Vec<Sample> {
    let done = || live(2, BatchState::Completed, 200, [159, 16, 5, 11, 4, 3, 2]);
    let mut just_submitted = one(live(1, BatchState::Pending, 196, [0; 7]), results(None, 0));
    just_submitted.frame = with_notice(Notice::Done(
        "196 authorizers are submitted. You can leave this page.".to_owned(),
    ));
    vec![
        sample(
            "batch",
            &one(
                live(1, BatchState::Processing, 320, [159, 16, 5, 11, 4, 0, 0]),
                results(None, 14),
            ),
        ),
        sample("batch-just-submitted", &just_submitted),
        sample("batch-done", &one(done(), results(None, 14))),
        sample("batch-filtered", &one(done(), results(Some(Status::NoMatch), 6))),
        sample(
            "batch-filtered-empty",
            &one(done(), results(Some(Status::AccountClosed), 0)),
        ),
    ]
}

fn new_batch() -> Vec<Sample> {
    let page = |fault: Option<&str>, file_name: Option<&str>| NewBatch {
        frame: frame(Role::Operator),
        fault: fault.map(str::to_owned),
        file_name: file_name.map(str::to_owned),
        most_records: 5_000,
        sample: assets::address("sample.csv"),
    };
    let fault = "The file's header lacks required columns: phone_number; ssn or ein. The first record must hold the \
                 columns' names, separated by commas, semicolons or tabs. What may only need another name: column 2 \
                 (phone_number).";
    vec![
        sample("new-batch", &page(None, None)),
        sample("new-batch-unreadable", &page(Some(fault), Some("november.csv"))),
        sample("new-batch-no-file", &page(Some("No file was sent."), None)),
    ]
}

fn draft(good: u32, failed: u32) -> Draft {
    let faults = [
        (3, Some("loan-18"), "ssn", "ssn must be 9 digits or NNN-NN-NNNN"),
        (5, Some("loan-19"), "routing_number", "routing_number is required"),
        (
            5,
            Some("loan-19"),
            "authorizer_unique_id",
            "authorizer_unique_id stands in an earlier row already; only its first occurrence counts",
        ),
        (
            118,
            None,
            "authorizer_unique_id",
            "authorizer_unique_id is required",
        ),
        (
            140,
            Some("loan-2026-00140"),
            "phone_number",
            "phone_number must be 10 digits, or +1 and 10 digits",
        ),
    ];
    let faults = faults.map(|(record, id, column, reason)| FaultRow {
        record,
        authorizer_id: id.map(str::to_owned),
        column: column.to_owned(),
        reason: reason.to_owned(),
    });
    Draft {
        frame: frame(Role::Operator),
        draft_id: batch_id(1).to_string(),
        file_name: "november-north.csv".to_owned(),
        good,
        failed,
        faults: if failed > 0 { faults.into() } else { Vec::new() },
        paging: Paging {
            shown: "1–5 of 5".to_owned(),
            ..Paging::default()
        },
        warnings: Vec::new(),
        expires_at: ago(-HOUR),
        same_as: None,
    }
}

fn drafts() -> Vec<Sample> {
    let mut warned = draft(200, 0);
    warned.warnings = vec![
        "Row 115: the check digit of routing_number is wrong; the check will end as BANK_UNSUPPORTED."
            .to_owned(),
        "The column “branch” is not known and is left out.".to_owned(),
    ];
    warned.same_as = Some(batch_id(2));
    vec![
        sample("draft", &draft(196, 4)),
        sample("draft-good", &draft(1, 0)),
        sample("draft-warnings", &warned),
        sample("draft-all-bad", &draft(0, 4)),
    ]
}

fn authorizer(results: Vec<AuthorizerResult>) -> Authorizer {
    Authorizer {
        frame: frame(Role::Viewer),
        authorizer_id: "loan-2026-00017".to_owned(),
        institution: Some("Bank of America".to_owned()),
        phone: Some(Masked::last_four("5125550142")),
        paging: Paging {
            shown: format!("1–{0} of {0}", results.len()),
            ..Paging::default()
        },
        results,
    }
}

fn authorizers() -> Vec<Sample> {
    let result = |number: u8, recorded: Option<Status>, cents: Option<i64>| AuthorizerResult {
        batch_id: batch_id(number),
        creator: creator(number),
        submitted_at: ago(i64::from(number) * 7 * DAY),
        recorded: recorded.map(|status| (ago(i64::from(number) * 7 * DAY - 3 * MINUTE), status)),
        balance: cents.map(Cents::new),
    };
    let success = Some(Status::Success);
    let history = vec![
        result(0, None, None),
        result(1, success, Some(284_351)),
        result(2, success, Some(-8_368)),
        result(3, Some(Status::RetryLimit), None),
        result(4, success, Some(41_200)),
        result(5, success, Some(118_093)),
        result(7, success, Some(2_011)),
    ];
    let mut unknown = authorizer(vec![result(1, Some(Status::NoMatch), None)]);
    (unknown.institution, unknown.phone) = (None, None);
    vec![
        sample("authorizer", &authorizer(history)),
        sample("authorizer-one-result", &unknown),
    ]
}

fn errors() -> Vec<Sample> {
    let names = [
        "error-not-found",
        "error-forbidden",
        "error-foreign",
        "error-failed",
        "busy",
    ];
    ErrorKind::ALL
        .into_iter()
        .zip(names)
        .map(|(kind, name)| {
            let page = ErrorPage {
                kind,
                outside: outside(),
                request_id: batch_id(3).to_string(),
            };
            sample(name, &page)
        })
        .collect()
}
