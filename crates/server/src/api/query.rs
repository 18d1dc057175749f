//! Query parameters. Unknown ones are ignored; a known one that is malformed is refused by name.

use tidemark_domain::id::BatchId;
use tidemark_domain::limits::MAX_PAGE_LIMIT;

use super::errors::ApiError;

/// The parameters of one request, decoded, in order.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        Self(
            form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// Every value of one parameter.
    pub(crate) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The one value of a parameter that goes by any of `names`.
    pub(crate) fn one(&self, names: &[&str]) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        let first = values.next();
        if values.next().is_some() {
            return Err(ApiError::bad_request(format!(
                "The query parameter {} is given more than once.",
                names[0]
            )));
        }
        Ok(first.map(|(_, value)| value.as_str()))
    }

    pub(crate) fn limit(&self, default: u32) -> Result<u32, ApiError> {
        match self.one(&["limit"])? {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(limit @ 1..=MAX_PAGE_LIMIT) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(limit),
                _ => Err(ApiError::bad_request(
                    "The query parameter limit must be a whole number from 1 to 100.",
                )),
            },
        }
    }

    pub(crate) fn page_token(&self) -> Result<Option<&str>, ApiError> {
        self.one(&["next_page_token", "nextPageToken"])
    }
}

/// Reads a batch id, told apart by the words for its place: "The query parameter batch_id".
pub(crate) fn batch_id(text: &str, place: &str) -> Result<BatchId, ApiError> {
    text.parse()
        .map_err(|_| ApiError::bad_request(format!("{place} must be a UUID.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_whole_number_from_1_to_100() {
        let limit = |query| Query::parse(Some(query)).limit(100).ok();
        assert_eq!(limit(""), Some(100));
        assert_eq!(limit("limit=1"), Some(1));
        assert_eq!(limit("limit=100&other=x"), Some(100));
        for wrong in [
            "limit=0",
            "limit=101",
            "limit=",
            "limit=+5",
            "limit=5&limit=5",
            "limit=abc",
            "limit=-1",
            "limit=1.0",
        ] {
            assert_eq!(limit(wrong), None, "{wrong}");
        }
    }
}
