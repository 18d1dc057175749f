//! The formula guard: what a spreadsheet would run as a formula gets an apostrophe in front, where it is asked for.
//!
//! It looks at free texts only. Identifiers, amounts and times are typed and never altered.

/// What makes a spreadsheet show a cell instead of running it.
pub const GUARD: char = '\'';

/// Whether a spreadsheet would take the text for a formula: it begins with `=`, `@`, a tab, a line break or the
/// full-width form of a sign, or with a sign and is neither a number nor a telephone number.
pub fn runs_as_formula(text: &str) -> bool {
    match text.chars().next() {
        Some('=' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => true,
        // A telephone number, `+` and digits, is a number with a sign too.
        Some('+' | '-') => !is_unsigned_number(&text[1..]),
        _ => false,
    }
}

/// Digits, which a point and further digits may follow.
fn is_unsigned_number(text: &str) -> bool {
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && fraction.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_told_from_numbers_and_plain_texts() {
        let formulas = [
            "=1+1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x", "+", "-", "-1+2", "+1.",
            "-.5", "--1", "+1 555", "-1e5", "+٣", "-1.2.3",
        ];
        for text in formulas {
            assert!(runs_as_formula(text), "{text:?}");
        }
        let others = [
            "",
            "a=1",
            " =1",
            "1",
            "-1",
            "+1",
            "-83.68",
            "+0.5",
            "+15551234567",
            "1+1",
            "'=1",
            "é",
        ];
        for text in others {
            assert!(!runs_as_formula(text), "{text:?}");
        }
    }
}
