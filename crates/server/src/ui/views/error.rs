//! What is shown in the place of a page that cannot be.

use askama::Template;

use super::frame::Outside;

#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub kind: ErrorKind,
    pub outside: Outside,
    pub request_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// 404; also for what is another requester's.
    NotFound,
    /// 403: the role does not allow it.
    Forbidden,
    /// 403: a form that did not come from a page of this server.
    Foreign,
    /// 500.
    Failed,
    /// 503: no room, or the database does not answer.
    Busy,
}

impl ErrorKind {
    pub const ALL: [Self; 5] = [
        Self::NotFound,
        Self::Forbidden,
        Self::Foreign,
        Self::Failed,
        Self::Busy,
    ];

    pub const fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Forbidden | Self::Foreign => 403,
            Self::Failed => 500,
            Self::Busy => 503,
        }
    }

    const fn icon(self) -> &'static str {
        match self {
            Self::NotFound => "search",
            Self::Forbidden | Self::Foreign => "blocked",
            Self::Failed => "alert",
            Self::Busy => "clock",
        }
    }

    const fn is_worth_a_retry(self) -> bool {
        matches!(self, Self::Failed | Self::Busy)
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::NotFound => "This page does not exist",
            Self::Forbidden => "Your role does not allow this",
            Self::Foreign => "This form was not sent from here",
            Self::Failed => "Something went wrong on our side",
            Self::Busy => "The server is busy",
        }
    }

    pub const fn advice(self) -> &'static str {
        match self {
            Self::NotFound => {
                "The address may be mistyped, or what it showed is gone. Batches are found by their id on the Batches page."
            }
            Self::Forbidden => "Ask an admin of your organisation to do it, or to change your role.",
            Self::Foreign => {
                "Nothing was done. Open the page again from the menu, and send the form from there."
            }
            Self::Failed => {
                "What was submitted before is safe. Try again; if it happens again, give the request id below to your administrator."
            }
            Self::Busy => "It has more to do than it can take right now. Wait a few seconds, then try again.",
        }
    }
}
