//! What a client says of the form in which it wants an answer: codings (RFC 9110, section 12.5.3) and what it has
//! already (section 13.1.2).

use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName};
use tidemark_engine::Coding;

/// How much a client wants a coding, in thousandths; 0 is not at all.
type Weight = u16;

/// What is sent to a client that says nothing of a coding which it must understand all the same.
const UNSAID: Weight = 0;

/// The coding that a client wants most; of equal ones the one that is smallest on the wire. One that wants none of
/// ours gets the file as it is.
pub(super) fn coding(headers: &HeaderMap) -> Coding {
    let said: Vec<(String, Weight)> = items(headers, &ACCEPT_ENCODING).filter_map(weighted).collect();
    let weight = |names: &[&str]| {
        let of = |name: &str| {
            said.iter()
                .find(|(said, _)| said == name)
                .map(|(_, weight)| *weight)
        };
        names.iter().find_map(|name| of(name)).or_else(|| of("*"))
    };
    let ours = [
        (Coding::Zstd, weight(&["zstd"]).unwrap_or(UNSAID)),
        (Coding::Gzip, weight(&["gzip", "x-gzip"]).unwrap_or(UNSAID)),
    ];
    let plain = (Coding::Identity, weight(&["identity"]).unwrap_or(UNSAID));
    let mut best = plain;
    // From the last to the first, so that equal weights give the first.
    for (coding, weight) in ours.into_iter().rev() {
        if weight > 0 && weight >= best.1 {
            best = (coding, weight);
        }
    }
    best.0
}

/// Whether a client names gzip and does not refuse it.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    items(headers, &ACCEPT_ENCODING)
        .filter_map(weighted)
        .any(|(name, weight)| name == "gzip" && weight > 0)
}

/// Whether a client has what the tag stands for.
pub(crate) fn has(headers: &HeaderMap, tag: &str) -> bool {
    items(headers, &IF_NONE_MATCH).any(|item| {
        // The comparison is the weak one: what a cache made weak is as good.
        let own = item.strip_prefix("W/").unwrap_or(item);
        item == "*" || own == tag
    })
}

/// The items of a list that may be spread over several headers. Neither list here has commas within its items.
fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers
        .get_all(name)
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// `name;q=0.5`. `None` where the weight is malformed: nobody can tell what was meant.
fn weighted(item: &str) -> Option<(String, Weight)> {
    let mut parameters = item.split(';').map(str::trim);
    let name = parameters.next()?.to_ascii_lowercase();
    let mut weight = 1_000;
    for parameter in parameters {
        if let Some(q) = parameter
            .strip_prefix(['q', 'Q'])
            .and_then(|rest| rest.trim_start().strip_prefix('='))
        {
            weight = thousandths(q.trim())?;
        }
    }
    Some((name, weight))
}

/// `0`, `1`, `0.123`: up to three decimals, and no more than 1.
fn thousandths(text: &str) -> Option<Weight> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !digits(fraction) {
        return None;
    }
    let weight = format!("{whole}{fraction:0<3}").parse().ok()?;
    (weight <= 1_000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| (name.clone(), HeaderValue::from_str(line).unwrap());
        lines.iter().map(line).collect()
    }

    #[test]
    fn the_coding_wanted_most_is_taken() {
        let coding = |lines: &[&str]| coding(&headers(ACCEPT_ENCODING, lines));
        for (lines, expected) in [
            (&[][..], Coding::Identity),
            (&[""], Coding::Identity),
            (&["gzip"], Coding::Gzip),
            (&["X-GZIP"], Coding::Gzip),
            (&["gzip, deflate, br, zstd"], Coding::Zstd),
            (&["gzip, deflate, br"], Coding::Gzip),
            (&["gzip", "zstd"], Coding::Zstd),
            (&["zstd;q=0.5, gzip;q=0.9"], Coding::Gzip),
            (&["zstd ; q=0 , gzip"], Coding::Gzip),
            (&["zstd;q=0"], Coding::Identity),
            (&["*"], Coding::Zstd),
            (&["*, zstd;q=0"], Coding::Gzip),
            (&["*;q=0"], Coding::Identity),
            (&["identity"], Coding::Identity),
            (&["identity, gzip;q=0.5"], Coding::Identity),
            (&["identity;q=0.5, gzip"], Coding::Gzip),
            (&["identity, gzip"], Coding::Gzip),
            (&["identity;q=0"], Coding::Identity),
            (&["br, deflate"], Coding::Identity),
            (&["gzip;q=1.001"], Coding::Identity),
            (&["gzip;q=x, zstd;q=0.001"], Coding::Zstd),
        ] {
            assert_eq!(coding(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_tag_is_found_among_several() {
        let has = |lines: &[&str]| has(&headers(IF_NONE_MATCH, lines), "\"abc\"");
        for lines in [
            &["\"abc\""][..],
            &["W/\"abc\""],
            &["\"x\", \"abc\""],
            &["\"x\"", "\"abc\""],
            &["*"],
        ] {
            assert!(has(lines), "{lines:?}");
        }
        for lines in [&[][..], &["abc"], &["\"ab\""], &["\"ABC\""], &["w/\"abc\""]] {
            assert!(!has(lines), "{lines:?}");
        }
    }
}
