//! Whether the server is alive, and whether it can work.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use tidemark_engine::Phase;

use super::Api;
use super::errors::ApiError;

/// The process answers. Says nothing of what it needs, so that a lost database does not get it restarted.
pub(crate) async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The server can take requests: its database answers, and it is not about to end.
pub(crate) async fn readyz(State(api): State<Api>) -> Result<Json<Value>, ApiError> {
    if api.stop.phase() > Phase::Running {
        return Err(ApiError::ending());
    }
    api.engine.store().ping().await?;
    let providers = api.engine.providers();
    let mut answer = json!({"status": "ready", "providers": providers});
    if providers.contains(&"sandbox") {
        answer["warning"] = json!("The sandbox provider makes balances up. No real account is asked.");
    }
    Ok(Json(answer))
}
