//! `/batches/new`: a file is chosen, what was found in it is seen, and what is good of it is submitted.
//!
//! Between its upload and its submission a file lies sealed in the database for an hour at most. Every page reads it anew,
//! by today's rules. Card codes are never written to a disk: a file with any of them is not kept.

use axum::extract::{Request, State};
use http::{StatusCode, Uri};
use tidemark_domain::authorizer::{Form, Rules};
use tidemark_domain::batch::{FailedAuthorizer, NewBatch, Refused as RefusedBatch};
use tidemark_domain::csv_file::{CsvFile, CsvReader};
use tidemark_domain::id::{BatchId, DraftId};
use tidemark_domain::limits::{MAX_CSV_BODY, MAX_CSV_RECORDS};
use tidemark_engine::{DraftError, Origin, SubmitError, Submitted};
use tidemark_store::{DraftContent, DraftOwner, Endpoint, Remembered};

use super::paging::span;
use super::{count, notice};
use crate::api::Api;
use crate::api::balance_requests_csv::failed_records;
use crate::api::errors::Code;
use crate::api::upload::{self, ChosenFile};
use crate::ui::address::Named;
use crate::ui::answer::{Answer, Refused, go_to, page, page_with};
use crate::ui::assets;
use crate::ui::format::ShowCount as _;
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::views::{self, Draft, ErrorKind, FaultRow, Paging};

/// Faults of a page.
const FAULTS: usize = 100;
/// Warnings that are shown.
const WARNINGS: usize = 50;
const NAME_CHARS: usize = 200;
const NOT_FOUND: Refused = Refused(ErrorKind::NotFound);

pub(in crate::ui) async fn show_empty(State(api): State<Api>, me: Me, uri: Uri) -> Answer {
    page(&views::NewBatch {
        frame: me.frame(&api, notice(&uri)),
        ..choose(&api, &me)
    })
}

/// Keeps the file that was chosen, and goes to what was found in it.
pub(in crate::ui) async fn upload(State(api): State<Api>, me: Me, request: Request) -> Answer {
    let (head, body) = request.into_parts();
    let chosen = match upload::chosen_file(&head.headers, body, api.engine.clock()).await {
        Ok(chosen) => chosen,
        Err(error) if error.code() == Code::PayloadTooLarge => {
            return again(&api, &me, Some("The file".to_owned()), too_large());
        }
        Err(error) => return Err(error.into()),
    };
    let Some(chosen) = chosen else {
        return again(&api, &me, None, "No file was chosen.".to_owned());
    };
    let name = shown_name(&chosen.name);
    if let Some(fault) = fault_of(&chosen) {
        return again(&api, &me, Some(name), fault);
    }
    match api
        .engine
        .keep_draft(owner(&me), name.clone(), chosen.bytes)
        .await
    {
        Ok(id) => go_to(&format!("/batches/new/{id}")),
        Err(DraftError::TooLarge) => again(&api, &me, Some(name), too_large()),
        Err(DraftError::Store(error)) => Err(error.into()),
    }
}

/// What was found in a file.
pub(in crate::ui) async fn show(
    State(api): State<Api>,
    me: Me,
    Named(id): Named<DraftId>,
    uri: Uri,
) -> Answer {
    let kept = match kept(&api, &me, id).await? {
        Kept::File(kept) => kept,
        Kept::Submitted(batch_id) => return go_to(&format!("/batches/{batch_id}")),
    };
    let keys = api.engine.store().requester_keys(me.requester_id()).await?;
    let identity = upload::identity_of(&kept.bytes);
    let same_as = api
        .engine
        .store()
        .submitted_before(&keys, me.requester_id(), &identity, api.engine.now())
        .await?;
    let (faults, paging) = faults(&kept.judged.failed, id, &Fields::of_query(&uri));
    page(&Draft {
        frame: me.frame(&api, None),
        draft_id: id.to_string(),
        file_name: kept.name,
        good: kept.judged.good(),
        failed: count(kept.judged.failed.len()),
        faults,
        paging,
        warnings: few(kept.judged.warnings),
        expires_at: kept.expires_at,
        same_as,
    })
}

/// The records that are to be mended.
pub(in crate::ui) async fn failed(State(api): State<Api>, me: Me, Named(id): Named<DraftId>) -> Answer {
    match kept(&api, &me, id).await? {
        Kept::File(kept) => Ok(failed_records(
            &kept.judged.file,
            &kept.judged.failed,
            api.engine.now(),
        )),
        Kept::Submitted(_) => Err(NOT_FOUND),
    }
}

/// Submits what is good. However often a draft is submitted, it becomes one batch.
pub(in crate::ui) async fn submit(State(api): State<Api>, me: Me, Named(id): Named<DraftId>) -> Answer {
    let before = |batch_id| go_to(&format!("/batches/{batch_id}?done=submitted-before"));
    let kept = match kept(&api, &me, id).await? {
        Kept::File(kept) => kept,
        Kept::Submitted(batch_id) => return before(batch_id.to_string()),
    };
    let Some(batch) = kept.judged.batch else {
        return go_to(&format!("/batches/new/{id}"));
    };
    let origin = Origin::user(&me.signed, &me.visitor)?;
    let keys = api.engine.store().requester_keys(me.requester_id()).await?;
    let (key, identity) = (id.to_string(), upload::identity_of(&kept.bytes));
    let what = Remembered::new(&keys, me.requester_id(), Endpoint::Draft, Some(&key), &identity);
    let submitted = api
        .engine
        .submit(origin, batch, what, |_, batch_id, _| batch_id.to_string())
        .await;
    let batch_id = match submitted {
        Ok(Submitted::Replayed(batch_id)) => return before(batch_id),
        Ok(Submitted::New(batch_id)) => batch_id,
        Err(SubmitError::Store(error)) => return Err(error.into()),
        // A draft never changes, so that its id has one body.
        Err(SubmitError::OtherBody) => return Err(Refused(ErrorKind::Failed)),
    };
    if let Ok(submitted) = batch_id.parse()
        && let Err(error) = api.engine.draft_submitted(owner(&me), id, submitted).await
    {
        // The batch is stored, and the draft is forgotten within the hour.
        tracing::warn!(%error, "a draft could not be noted as submitted");
    }
    go_to(&format!("/batches/{batch_id}?done=submitted"))
}

fn owner(me: &Me) -> DraftOwner {
    DraftOwner {
        requester_id: me.requester_id(),
        user_id: me.signed.user.user_id.uuid(),
    }
}

/// The page on which a file is chosen.
fn choose(api: &Api, me: &Me) -> views::NewBatch {
    views::NewBatch {
        frame: me.frame(api, None),
        fault: None,
        file_name: None,
        most_records: count(MAX_CSV_RECORDS),
        sample: assets::address("sample.csv"),
    }
}

/// The same, and why the last one could not be read.
fn again(api: &Api, me: &Me, file_name: Option<String>, fault: String) -> Answer {
    let choose = views::NewBatch {
        fault: Some(fault),
        file_name,
        ..choose(api, me)
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &choose)
}

fn too_large() -> String {
    format!(
        "It is larger than {} MiB. Split it into several files.",
        MAX_CSV_BODY >> 20
    )
}

/// A file's name without its folder and without what cannot be shown.
fn shown_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(NAME_CHARS)
        .collect();
    match shown.trim() {
        "" => "The file".to_owned(),
        shown => shown.to_owned(),
    }
}

/// Why a file is not kept.
fn fault_of(chosen: &ChosenFile) -> Option<String> {
    let file = match &chosen.read {
        Ok(file) if chosen.is_csv => file,
        Err(fault) if chosen.is_csv => return Some(fault.to_string()),
        _ => {
            let text =
                "It is not a CSV file. In your spreadsheet, save it as CSV (UTF-8), then choose that file.";
            return Some(text.to_owned());
        }
    };
    let has_codes = file.batch().authorizers.iter().any(|row| !row.cvv.is_absent());
    has_codes.then(|| {
        "It has card codes in the column cvv. They are never written to a disk, and a file is kept until you submit \
         it. Take that column out: the cards are checked without it."
            .to_owned()
    })
}

/// What the rules say of a file.
struct Judged {
    file: CsvFile,
    /// `None` where every record failed.
    batch: Option<NewBatch>,
    failed: Vec<FailedAuthorizer>,
    warnings: Vec<String>,
}

impl Judged {
    fn good(&self) -> u32 {
        self.batch.as_ref().map_or(0, |batch| count(batch.accepted.len()))
    }

    /// Nothing for a file that could not have been kept.
    fn of(bytes: &[u8], rules: Rules) -> Option<Self> {
        let mut reader = CsvReader::default();
        reader.push(bytes);
        let file = reader.finish().ok()?;
        let (batch, failed, mut warnings) = match NewBatch::read(&file.batch(), rules) {
            Ok(mut batch) => {
                let failed = std::mem::take(&mut batch.failed);
                let warnings = std::mem::take(&mut batch.warnings);
                (Some(batch), failed, warnings)
            }
            Err(RefusedBatch::AllFailed(failed)) => (None, failed, Vec::new()),
            Err(_) => return None,
        };
        warnings.splice(0..0, file.warnings().iter().cloned());
        Some(Self {
            file,
            batch,
            failed,
            warnings,
        })
    }
}

/// A draft as it is now.
enum Kept {
    File(Box<KeptFile>),
    Submitted(BatchId),
}

struct KeptFile {
    name: String,
    expires_at: tidemark_domain::clock::Timestamp,
    bytes: Vec<u8>,
    judged: Judged,
}

async fn kept(api: &Api, me: &Me, id: DraftId) -> Result<Kept, Refused> {
    let draft = api.engine.draft(owner(me), id).await?.ok_or(NOT_FOUND)?;
    let bytes = match draft.content {
        DraftContent::File(bytes) => bytes,
        DraftContent::Submitted(batch_id) => return Ok(Kept::Submitted(batch_id)),
    };
    let requester = api.engine.store().requester(&me.signed.requester_name).await?;
    let rules = Rules {
        form: Form::Csv,
        cards: requester.is_some_and(|requester| requester.cards),
        now: api.engine.now(),
    };
    let judged = api.engine.compute(|| Judged::of(&bytes, rules)).await;
    Ok(Kept::File(Box::new(KeptFile {
        name: draft.name,
        expires_at: draft.expires_at,
        judged: judged.ok_or(Refused(ErrorKind::Failed))?,
        bytes,
    })))
}

/// One page of faults, in the file's order.
fn faults(failed: &[FailedAuthorizer], id: DraftId, fields: &Fields) -> (Vec<FaultRow>, Paging) {
    let total: usize = failed.iter().map(|row| row.faults.len()).sum();
    let pages = total.div_ceil(FAULTS).max(1);
    let page = fields.text("page").parse().unwrap_or(1).clamp(1, pages);
    let before = (page - 1) * FAULTS;
    let rows = failed.iter().flat_map(|row| {
        row.faults.iter().map(|fault| FaultRow {
            record: row.row_number,
            authorizer_id: row.authorizer_unique_id.as_deref().map(str::to_owned),
            column: fault.field.clone(),
            reason: fault.message.clone(),
        })
    });
    let rows: Vec<FaultRow> = rows.skip(before).take(FAULTS).collect();
    let address = |page: usize| format!("/batches/new/{id}?page={page}");
    let paging = Paging {
        shown: format!(
            "{} of {} fault{}",
            span((before + 1).count(), (before + rows.len()).count()),
            total.grouped(),
            total.plural()
        ),
        previous: (page > 1).then(|| address(page - 1)),
        next: (page < pages).then(|| address(page + 1)),
    };
    (rows, paging)
}

/// The first ones, and how many more there are.
fn few(mut warnings: Vec<String>) -> Vec<String> {
    let more = warnings.len().saturating_sub(WARNINGS);
    if more > 0 {
        warnings.truncate(WARNINGS);
        warnings.push(format!("{} more like these.", more.grouped()));
    }
    warnings
}
