//! What can be wrong with one row of a submission, said without repeating what was sent.

/// The rule that a value broke, as words that follow the field's name: "must be 9 digits". Never holds
/// any of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

/// The kind of a fault, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    Required,
    WrongType,
    Invalid,
    Duplicate,
    NotApproved,
    TooMany,
}

impl FaultCode {
    pub const ALL: [Self; 6] = [
        Self::Required,
        Self::WrongType,
        Self::Invalid,
        Self::Duplicate,
        Self::NotApproved,
        Self::TooMany,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "REQUIRED",
            Self::WrongType => "WRONG_TYPE",
            Self::Invalid => "INVALID",
            Self::Duplicate => "DUPLICATE",
            Self::NotApproved => "NOT_APPROVED",
            Self::TooMany => "TOO_MANY",
        }
    }
}

/// One fault of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field's path in the authorizer: `ssn`, `address.city`, `metadata.branch`.
    pub field: String,
    pub code: FaultCode,
    /// A sentence that names the field and what to do; never holds private data.
    pub message: String,
}

impl Fault {
    /// `rule` follows the field's name: "is required".
    pub fn new(field: &str, code: FaultCode, rule: &str) -> Self {
        Self {
            field: field.to_owned(),
            code,
            message: format!("{field} {rule}"),
        }
    }

    /// A field that was sent more than once.
    pub fn repeated(field: &str) -> Self {
        Self::new(field, FaultCode::Duplicate, "is given twice")
    }
}
