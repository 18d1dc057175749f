//! Why something about users was refused.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::fault::Invalid;
use tidemark_domain::password::PasswordFault;
use tidemark_store::Error;

/// Why something about users was refused. No message holds what was typed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The role, or where the session stands, does not allow it.
    #[error("you may not do that")]
    Forbidden,
    /// Also for users of other requesters.
    #[error("there is no such user")]
    NoSuchUser,
    #[error("there is no key of that id, or it was revoked before")]
    NoSuchKey,
    #[error("there is no such session: it has ended")]
    NoSuchSession,
    #[error("the key's name {}", .0.0)]
    KeyName(Invalid),
    #[error("this is the last administrator who is not disabled: make another one first")]
    LastAdmin,
    #[error("this user is disabled: enable the user first")]
    Disabled,
    /// Used, too old, replaced by a newer one, or never made.
    #[error("this link is not good any more: ask for a new one")]
    LinkGone,
    #[error("{}", .0.message())]
    Password(PasswordFault),
    /// Also for an unknown e-mail address, a disabled user, and one who has no password yet.
    #[error("the e-mail address or the password is wrong")]
    WrongPassword,
    #[error("the code is wrong, or was used before: wait for the next one")]
    WrongCode,
    /// Too many wrong tries, whether or not there is such a user.
    #[error("too many tries: the next one is taken at {}", .0.rfc3339())]
    Wait(Timestamp),
    /// More people sign in at this moment than there is room for.
    #[error("too many people sign in at this moment: try again in a few seconds")]
    Busy,
    #[error("your organisation asks everybody for a second factor: it can be replaced, not removed")]
    SecondFactorRequired,
    #[error("there is no second factor, or none is being set up")]
    NoSecondFactor,
    #[error(transparent)]
    Store(#[from] Error),
}
