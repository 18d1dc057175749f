//! Text that must not be seen: held in memory that is wiped on drop, and never shown whole.

use zeroize::Zeroizing;

/// A private text. It has no `Debug` and no `Display`, so that it cannot reach a log, an error or a page
/// by accident; [`Secret::expose`] is the one way out, easy to search for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the provider that needs it and the sealing that protects it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The last four characters behind dots, `••••6789`; all dots where that would show half or more.
    pub fn masked(&self) -> String {
        let chars = self.0.chars().count();
        let shown = if chars > 8 { 4 } else { 0 };
        "••••".chars().chain(self.0.chars().skip(chars - shown)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_shows_four_characters_of_a_long_text_and_none_of_a_short_one() {
        assert_eq!(Secret::new("123456789".to_owned()).masked(), "••••6789");
        assert_eq!(Secret::new("12345678".to_owned()).masked(), "••••");
        assert_eq!(Secret::new(String::new()).masked(), "••••");
    }
}
