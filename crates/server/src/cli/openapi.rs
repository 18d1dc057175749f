//! `tidemark openapi`: the document that the server gives at `/v1/openapi.json`, with a relative server.

use super::CliError;
use super::output::Output;
use crate::api::openapi;

pub(crate) fn run(output: &Output) -> Result<(), CliError> {
    if output.json {
        output.result(&openapi::document("/"));
    } else {
        output.line(openapi::text("/").trim_end());
    }
    Ok(())
}
