//! What the dashboard's pages read.
//!
//! Every read names the requester and shows nothing of another. Counts come from batches' own rows and from the counts
//! by day, never from sums over checks, so that a page costs the same however much there is.

mod activity;
mod authorizers;
mod batches;
mod overview;
mod results;

pub use activity::{Activity, ActivityEntry, ActivityFilter, ActivityPosition};
pub use authorizers::{AuthorizerHistory, AuthorizerResult, Found};
pub use batches::{BatchFilter, BatchLine, BatchPage, BatchState, Creator, Total};
pub use overview::{DayResults, FailureCount, Overview};
pub use results::{ShownResult, ShownResults};
