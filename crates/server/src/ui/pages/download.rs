//! `POST /batches/download`: the results of the batches that were ticked, as one file.

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse as _;
use http::{HeaderMap, StatusCode, Version};
use tidemark_domain::id::BatchId;
use tidemark_domain::limits::MAX_EXPORT_BATCHES;
use tidemark_domain::xlsx::MAX_ROWS;
use tidemark_engine::{ExportRefused, WorkbookRefused};

use super::batches;
use crate::api::Api;
use crate::api::balances_csv::{ExportBody, Wanted, file_headers};
use crate::ui::answer::{Answer, Refused, page_with};
use crate::ui::format::ShowCount as _;
use crate::ui::forms::Fields;
use crate::ui::guard::Me;
use crate::ui::views::{Batches, ErrorKind};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

pub(in crate::ui) async fn download(
    State(api): State<Api>,
    me: Me,
    version: Version,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let ids: Option<Vec<BatchId>> = fields.all("batch_ids").map(|id| id.parse().ok()).collect();
    let ids = ids.ok_or(Refused(ErrorKind::NotFound))?;
    if ids.is_empty() {
        return again(&api, &me, "Tick at least one batch, then download.".to_owned()).await;
    }
    if ids.len() > MAX_EXPORT_BATCHES {
        let most = MAX_EXPORT_BATCHES.grouped();
        return again(
            &api,
            &me,
            format!("One file holds {most} batches at most: tick fewer."),
        )
        .await;
    }
    let wanted = Wanted::by_form(version, &headers)?;
    let refused = match fields.text("format") {
        "xlsx" => match api.engine.plan_workbook(me.signed.clone(), &ids).await {
            Ok(workbook) => {
                api.engine.note_export(workbook.export(), &me.visitor).await;
                let headers = file_headers(workbook.export(), XLSX, "xlsx", true);
                let stream = api.engine.stream_workbook(workbook, api.stop.clone());
                return Ok((headers, Body::new(ExportBody(Some(stream)))).into_response());
            }
            Err(WorkbookRefused::TooManyRows { rows }) => {
                let text = format!(
                    "These batches have {} results, and a sheet holds {}: tick fewer, or download them as CSV.",
                    rows.grouped(),
                    MAX_ROWS.grouped()
                );
                return again(&api, &me, text).await;
            }
            Err(WorkbookRefused::Export(refused)) => refused,
        },
        _ => match api
            .engine
            .plan_export(me.signed.clone(), &ids, wanted.options())
            .await
        {
            Ok(export) => return Ok(wanted.answer(&api, export, &me.visitor).await),
            Err(refused) => refused,
        },
    };
    match refused {
        ExportRefused::Forbidden => Err(Refused(ErrorKind::NotFound)),
        ExportRefused::TooManyColumns { columns } => {
            let text = format!(
                "Together these batches have {} columns of metadata and results, more than a file may: tick fewer.",
                columns.grouped()
            );
            again(&api, &me, text).await
        }
        ExportRefused::Store(error) => Err(error.into()),
    }
}

/// The list once more, and why there is no file.
async fn again(api: &Api, me: &Me, error: String) -> Answer {
    let list = batches::list(api, me, &Fields::default(), None).await?;
    let list = Batches {
        error: Some(error),
        ..list
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &list)
}
