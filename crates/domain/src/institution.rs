//! Which bank stands behind a routing number.

use std::collections::HashMap;
use std::sync::Arc;

use crate::account::RoutingNumber;

/// The directory that a fresh install has. No list of bank names by routing number is free to ship, so it
/// names only these; the operator loads a real one.
pub const BUILT_IN: [(&str, &str); 10] = [
    ("021000021", "JPMorgan Chase Bank"),
    ("021000089", "Citibank"),
    ("026009593", "Bank of America"),
    ("121000248", "Wells Fargo Bank"),
    ("031100649", "Discover Bank"),
    ("091000022", "U.S. Bank"),
    ("043000096", "PNC Bank"),
    ("031176110", "Capital One"),
    ("124003116", "Ally Bank"),
    ("256074974", "Navy Federal Credit Union"),
];

/// The number under which a database knows an institution's name. A name never changes under its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstitutionNo(pub i32);

/// The bank behind a routing number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Institution {
    pub no: InstitutionNo,
    pub name: Arc<str>,
}

/// The institutions that are known, by number and by routing number.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    names: HashMap<InstitutionNo, Arc<str>>,
    routing: HashMap<RoutingNumber, InstitutionNo>,
}

impl Directory {
    pub fn new(
        names: impl IntoIterator<Item = (InstitutionNo, String)>,
        routing: impl IntoIterator<Item = (RoutingNumber, InstitutionNo)>,
    ) -> Self {
        Self {
            names: names.into_iter().map(|(no, name)| (no, name.into())).collect(),
            routing: routing.into_iter().collect(),
        }
    }

    /// The institution behind a routing number, if it is listed.
    pub fn find(&self, routing: RoutingNumber) -> Option<Institution> {
        let no = *self.routing.get(&routing)?;
        Some(Institution {
            no,
            name: self.names.get(&no)?.clone(),
        })
    }

    /// The name that was recorded with a result.
    pub fn name(&self, no: InstitutionNo) -> Option<&str> {
        self.names.get(&no).map(AsRef::as_ref)
    }

    pub fn is_empty(&self) -> bool {
        self.routing.is_empty()
    }
}
