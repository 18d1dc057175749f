//! The people of a requester: who they are, how they sign in, and what they may change about each other.
//!
//! Whatever is refused here is refused whoever asks: pages and the command line decide nothing. Nothing here puts a
//! password, a code or a token anywhere but into its hash or its sealed place.

mod actor;
mod error;
mod hashing;
mod keys;
mod manage;
mod open_sessions;
mod own;
mod second_factor;
mod session;
mod sign_in;
mod tries;

pub use actor::{Actor, Visitor};
pub use error::UserError;
pub use manage::{LINK_LIFETIME, NewUser};
pub use open_sessions::SessionWatch;
pub use second_factor::Enrolment;
pub use session::{Sessions, Signed, Standing};
pub use sign_in::{Next, SignIn};

pub(crate) use hashing::Hashing;
pub(crate) use keys::KeyUses;
pub(crate) use open_sessions::OpenSessions;
pub(crate) use tries::{Addresses, REMEMBERED};
