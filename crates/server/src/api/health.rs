//! Whether the server is alive, and whether it can work.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tidemark_engine::Phase;
use utoipa::ToSchema;

use super::Api;
use super::errors::ApiError;

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
}

/// Whether the process answers
///
/// Says nothing of what the server needs, so that a lost database does not get it restarted.
#[utoipa::path(get, path = "/healthz", operation_id = "getHealth", tag = "Server",
    responses((status = 200, description = "The process answers.", body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    status: &'static str,
    /// Who is asked for balances. `sandbox` makes them up.
    providers: Vec<&'static str>,
    /// Set while no real account is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warning: Option<&'static str>,
}

/// Whether the server can take requests
///
/// It can where its database answers and it is not about to end.
#[utoipa::path(get, path = "/readyz", operation_id = "getReadiness", tag = "Server",
    responses((status = 200, description = "The server can take requests.", body = Readiness)))]
pub(crate) async fn readyz(State(api): State<Api>) -> Result<Json<Readiness>, ApiError> {
    if api.stop.phase() > Phase::Running {
        return Err(ApiError::ending());
    }
    api.engine.store().ping().await?;
    let providers = api.engine.providers();
    Ok(Json(Readiness {
        status: "ready",
        warning: providers
            .contains(&"sandbox")
            .then_some("The sandbox provider makes balances up. No real account is asked."),
        providers,
    }))
}
