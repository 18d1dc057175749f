//! What each page shows, one page one file: a plain struct beside its template. Handlers fill them.
//!
//! A page's struct says in its docs which queries and form fields it sends, so that whoever reads them needs no
//! template. Nothing here is a type of the store.

mod account;
mod activity;
mod authorizer;
mod batch;
mod batches;
mod draft;
mod error;
mod frame;
mod keys;
mod new_batch;
mod overview;
mod second_factor;
mod sign_in;
mod users;

pub use account::{Account, AccountForm, SecondFactor, SessionRow};
pub use activity::{Activity, ActivityFilter, ActivityRow};
pub use authorizer::{Authorizer, AuthorizerResult};
pub use batch::{Batch, BatchLive, ResultRow, Results};
pub use batches::{BatchFilter, BatchRow, Batches, Find};
pub use draft::{Draft, FaultRow};
pub use error::{ErrorKind, ErrorPage};
pub use frame::{
    BatchState, Choice, FieldError, Frame, Notice, Outside, Paging, Section, StatusWords, Theme, UserState,
    about,
};
pub use keys::{KeyRow, Keys, MadeKey};
pub use new_batch::NewBatch;
pub use overview::{BalanceBand, DayCounts, InstitutionFailures, Overview, Running};
pub use second_factor::{Enrol, RecoveryCodes};
pub use sign_in::{LinkExpired, SetPassword, SignIn, SignInCode, SignInNotice};
pub use users::{OneTimeLink, UserForm, UserRow, Users};
