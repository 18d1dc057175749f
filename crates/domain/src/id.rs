//! Identifiers. Each kind is a type of its own, so that one can never stand in for another.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::clock::Timestamp;

/// A text that is not a hyphenated UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAUuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new version 7 UUID (RFC 9562 §5.7) of this moment, from 80 bits of the caller's
            /// randomness. It shows its creation time: never use one as a secret.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAUuid;

            /// Reads the hyphenated form, in any case; braces, URNs and the bare 32 digits are refused.
            fn from_str(text: &str) -> Result<Self, NotAUuid> {
                if text.len() != 36 {
                    return Err(NotAUuid);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| NotAUuid)
            }
        }
    )*};
}

ids! {
    /// A customer organisation (tenant), which owns data.
    RequesterId
    ApiKeyId
    BatchId
    EventId
    DeliveryId
    /// A running process that claims work.
    NodeId
    RequestId
    /// A person who uses the dashboard.
    UserId
    SessionId
    /// An uploaded file on its way to a submission.
    DraftId
}

/// One authorizer's place in one batch, counted as the submission counts its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId {
    pub batch_id: BatchId,
    pub row_no: i32,
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.batch_id, self.row_no)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_version_7_and_carries_its_time() {
        let id = BatchId::new(Timestamp::from_micros(1_790_000_000_123_456), [0xff; 10]);
        assert_eq!(id.uuid().get_version_num(), 7);
        assert_eq!(&id.to_string()[..13], "01a0c450-6c7b");
    }

    #[test]
    fn any_case_comes_in_and_lower_case_goes_out() {
        let id: BatchId = "8AC1F4A6-1234-4abc-9D3E-001122334455".parse().unwrap();
        assert_eq!(id.to_string(), "8ac1f4a6-1234-4abc-9d3e-001122334455");
    }

    #[test]
    fn only_the_hyphenated_form_is_read() {
        for text in [
            "",
            "8ac1f4a612344abc9d3e001122334455",
            "{8ac1f4a6-1234-4abc-9d3e-001122334455}",
            "x",
        ] {
            assert_eq!(text.parse::<BatchId>(), Err(NotAUuid), "{text}");
        }
    }
}
