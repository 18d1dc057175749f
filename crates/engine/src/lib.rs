//! What happens: batches are submitted, checks run, results settle, are sealed and are exported.
//!
//! This floor owns every transaction and every loop. It knows nothing of HTTP, and reads time and
//! randomness only from what it was given, so that a test can run it on a manual clock with a seed.

mod checks;
mod coding;
mod drafts;
mod duties;
mod engine;
mod export;
mod index;
mod lines;
mod live;
mod metrics;
mod node;
mod requesters;
mod retention;
mod runner;
mod seal;
mod settle;
mod stop;
mod submit;
#[cfg(feature = "testing")]
pub mod testing;
mod users;
mod vault;
mod zip;

pub use coding::Coding;
pub use drafts::DraftError;
pub use engine::{Engine, Settings};
pub use export::{
    Broken, Export, ExportOptions, ExportRefused, ExportStream, Recipient, Workbook, WorkbookRefused,
};
pub use live::Watch;
pub use metrics::Metrics;
pub use node::Presence;
pub use requesters::AdminError;
pub use stop::{Phase, Stop, Stopper};
pub use submit::{Origin, SubmitError, Submitted};
pub use users::{
    Actor, Enrolment, LINK_LIFETIME, NewUser, Next, SessionWatch, Sessions, SignIn, Signed, Standing,
    UserError, Visitor,
};
