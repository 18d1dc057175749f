//! Rows that the server did not accept, as it lists them and as people read them.

use std::fmt::{self, Display, Formatter};

use serde::Deserialize;

use super::output::{Output, plain};

/// A row that was not accepted.
#[derive(Debug, Deserialize)]
pub(crate) struct FailedRow {
    row_number: Option<u64>,
    authorizer_unique_id: Option<String>,
    error: Option<String>,
    #[serde(default)]
    errors: Vec<RowFault>,
}

#[derive(Debug, Deserialize)]
struct RowFault {
    message: String,
}

/// `row 3 (loan-17): ssn must be 9 digits; zip_code is required`
impl Display for FailedRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.row_number {
            Some(number) => write!(f, "row {number}")?,
            None => f.write_str("a row")?,
        }
        if let Some(id) = &self.authorizer_unique_id {
            write!(f, " ({})", plain(id))?;
        }
        let faults: Vec<&str> = self.errors.iter().map(|fault| fault.message.as_str()).collect();
        let first = self.error.as_deref().unwrap_or("not accepted");
        write!(
            f,
            ": {}",
            plain(&if faults.is_empty() {
                first.to_owned()
            } else {
                faults.join("; ")
            })
        )
    }
}

/// Lists failed rows and warnings, for people.
pub(crate) fn describe(failed: &[FailedRow], warnings: &[String], output: &Output) {
    for row in failed {
        output.line(&format!("  {row}"));
    }
    for warning in warnings {
        output.line(&format!("warning: {}", plain(warning)));
    }
}
