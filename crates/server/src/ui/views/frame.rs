//! What stands around the content of every page, and the small words that several pages share.

use tidemark_domain::outcome::Status;
use tidemark_domain::user::{Permission, Role};

/// Around every page of somebody who is signed in.
pub struct Frame {
    /// The organisation's name.
    pub requester: String,
    pub user_name: String,
    pub role: Role,
    pub theme: Theme,
    /// Whether balances are made up, which every page says.
    pub sandbox: bool,
    /// What came of the form that led here.
    pub notice: Option<Notice>,
}

/// Around every page of somebody who is not.
pub struct Outside {
    pub theme: Theme,
    pub sandbox: bool,
}

/// What a role is for, to whoever gives it to somebody.
pub const fn about(role: Role) -> &'static str {
    match role {
        Role::Admin => "submits, exports, and manages users and API keys",
        Role::Operator => "submits batches and exports results",
        Role::Viewer => "reads and exports results",
    }
}

/// The value of the cookie `tidemark-theme`, which the page's script writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// What the browser prefers.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// Reads the cookie's value; whatever is unknown is the system's.
    pub fn from_cookie(value: &str) -> Self {
        match value {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    pub const fn value(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The entry of the menu that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Overview,
    Batches,
    NewBatch,
    Keys,
    Users,
    Activity,
    Account,
    /// No menu: something has to be done before anything else.
    Nowhere,
}

impl Section {
    /// Address, icon and name of an entry.
    const fn entry(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Overview => ("/", "overview", "Overview"),
            Self::Batches => ("/batches", "batches", "Batches"),
            Self::NewBatch => ("/batches/new", "plus", "New batch"),
            Self::Keys => ("/keys", "key", "API keys"),
            Self::Users => ("/users", "users", "Users"),
            Self::Activity => ("/activity", "activity", "Activity"),
            Self::Account | Self::Nowhere => ("/account", "account", "Account"),
        }
    }

    pub(super) const fn href(self) -> &'static str {
        self.entry().0
    }

    pub(super) const fn icon(self) -> &'static str {
        self.entry().1
    }

    pub(super) const fn label(self) -> &'static str {
        self.entry().2
    }
}

impl Frame {
    pub(super) const fn submits(&self) -> bool {
        self.role.may(Permission::Submit)
    }

    /// What is used all day.
    pub(super) fn first_entries(&self) -> &'static [Section] {
        if self.submits() {
            &[Section::Overview, Section::Batches, Section::NewBatch]
        } else {
            &[Section::Overview, Section::Batches]
        }
    }

    /// What is used now and then.
    pub(super) fn second_entries(&self) -> &'static [Section] {
        if self.role.may(Permission::ManageUsers) {
            &[Section::Keys, Section::Users, Section::Activity]
        } else {
            &[]
        }
    }
}

/// One sentence above a page's content.
pub enum Notice {
    Done(String),
    Failed(String),
}

/// A field that a form got wrong; `field` is the input's name and id.
pub struct FieldError {
    pub field: &'static str,
    /// What is wrong and what to do.
    pub text: String,
}

/// The first error of a field, if there is one.
pub(super) fn error_of<'a>(errors: &'a [FieldError], field: &str) -> Option<&'a str> {
    errors
        .iter()
        .find(|error| error.field == field)
        .map(|error| error.text.as_str())
}

/// One entry of a choice list.
pub struct Choice {
    pub value: String,
    pub label: String,
}

/// Where in a longer list a page stands. Addresses are ready to be followed, with the filter in them.
#[derive(Default)]
pub struct Paging {
    /// "1–50 of 1,204", or what is known of it.
    pub shown: String,
    pub previous: Option<String>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    Pending,
    Processing,
    Completed,
}

impl BatchState {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Processing, Self::Completed];

    /// As the API spells it, and as the filter sends it.
    pub const fn value(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Processing => "PROCESSING",
            Self::Completed => "COMPLETED",
        }
    }

    /// Reads what the API and `BatchStatus::state` spell.
    pub fn from_value(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.value() == value)
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "Waiting",
            Self::Processing => "Running",
            Self::Completed => "Done",
        }
    }

    pub const fn icon(self) -> &'static str {
        match self {
            Self::Pending => "clock",
            Self::Processing => "running",
            Self::Completed => "check",
        }
    }

    pub const fn class(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
        }
    }

    pub const fn is_completed(self) -> bool {
        matches!(self, Self::Completed)
    }
}

/// Whether a user can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserState {
    Active,
    /// Has a link and no password yet.
    Invited,
    Disabled,
}

impl UserState {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Invited => "Invited",
            Self::Disabled => "Disabled",
        }
    }

    pub const fn icon(self) -> &'static str {
        match self {
            Self::Active => "check",
            Self::Invited => "clock",
            Self::Disabled => "blocked",
        }
    }

    pub const fn class(self) -> &'static str {
        match self {
            Self::Active => "good",
            Self::Invited => "waiting",
            Self::Disabled => "off",
        }
    }
}

/// How a status of results looks and reads on pages.
pub trait StatusWords {
    fn label(&self) -> &'static str;
    fn icon(&self) -> &'static str;
    /// The end of the class names that colour it.
    fn class(&self) -> &'static str;
    /// What it means to a person who works with the results.
    fn meaning(&self) -> &'static str;
}

impl StatusWords for Status {
    fn label(&self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::NoMatch => "No match",
            Self::AccountClosed => "Account closed",
            Self::BankUnsupported => "Bank unsupported",
            Self::RetrievalFailed => "Retrieval failed",
            Self::RetryLimit => "Retry limit",
            Self::ProcessingError => "Processing error",
        }
    }

    fn icon(&self) -> &'static str {
        match self {
            Self::Success => "check",
            Self::NoMatch => "no-match",
            Self::AccountClosed => "closed",
            Self::BankUnsupported => "bank",
            Self::RetrievalFailed => "failed",
            Self::RetryLimit => "retry",
            Self::ProcessingError => "alert",
        }
    }

    fn class(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::NoMatch => "no-match",
            Self::AccountClosed => "closed",
            Self::BankUnsupported => "bank",
            Self::RetrievalFailed => "retrieval",
            Self::RetryLimit => "retry",
            Self::ProcessingError => "error",
        }
    }

    fn meaning(&self) -> &'static str {
        match self {
            Self::Success => "The bank gave the balance.",
            Self::NoMatch => {
                "The bank knows no such account holder. Compare SSN or EIN, birth date and account number with your records."
            }
            Self::AccountClosed => "The account is closed. Ask the person for another one.",
            Self::BankUnsupported => {
                "This bank cannot be asked. Check the routing number; if it is right, use another account."
            }
            Self::RetrievalFailed => {
                "The bank answered without a usable balance. Asking again another day may help."
            }
            Self::RetryLimit => {
                "The bank could not be reached, also after several tries. Submit these again later."
            }
            Self::ProcessingError => {
                "Something went wrong on this server. Submit these again, and tell your administrator if it repeats."
            }
        }
    }
}
