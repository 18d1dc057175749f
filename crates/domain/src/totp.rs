//! One-time codes of an authenticator app (RFC 6238: SHA-1, 30 seconds, 6 digits), but for the keyed hash, which
//! the store makes.

use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::secret::Secret;

const STEP_MICROS: i64 = 30_000_000;
/// Bytes of a secret (RFC 4226 §4 recommends 160 bits).
pub const SECRET_LEN: usize = 20;

/// A code of 6 digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(u32);

impl Code {
    /// Reads what a person typed, spaces and all; `None` where it is not 6 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Secret = Secret::new(text.chars().filter(|c| !c.is_whitespace()).collect());
        let digits = digits.expose();
        let valid = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit());
        valid.then(|| digits.parse().ok().map(Self)).flatten()
    }

    /// The code that a keyed hash of a step stands for (RFC 4226 §5.3).
    pub fn truncated(mac: &[u8; SECRET_LEN]) -> Self {
        let offset = usize::from(mac[19] & 15);
        let four = [
            mac[offset] & 0x7f,
            mac[offset + 1],
            mac[offset + 2],
            mac[offset + 3],
        ];
        Self(u32::from_be_bytes(four) % 1_000_000)
    }

    /// As an app shows it.
    pub fn digits(self) -> Secret {
        Secret::new(format!("{:06}", self.0))
    }
}

/// The step that a moment lies in: 30 seconds each, counted from 1970.
pub const fn step(now: Timestamp) -> i64 {
    now.as_micros().div_euclid(STEP_MICROS)
}

/// The steps whose codes are taken at a moment, as clocks differ and people are slow: its own, the one before and the
/// one behind.
pub const fn steps(now: Timestamp) -> [i64; 3] {
    let step = step(now);
    [step, step - 1, step + 1]
}

/// Bytes as an app takes them (RFC 4648 §6, without padding).
pub fn base32(bytes: &[u8]) -> Secret {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    Secret::new(digits(bytes, DIGITS))
}

/// Five bits a character, the last filled with zeros.
fn digits(bytes: &[u8], alphabet: &[u8; 32]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in bytes {
        bits = (bits << 8 | u32::from(*byte)) & 0xfff;
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(alphabet[(bits >> held & 31) as usize]));
        }
    }
    if held > 0 {
        text.push(char::from(alphabet[(bits << (5 - held) & 31) as usize]));
    }
    text
}

/// What an app reads from a QR code: `otpauth://totp/…`.
pub fn uri(issuer: &str, account: &str, secret: &Secret) -> Secret {
    let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
    let secret = secret.expose();
    Secret::new(format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    ))
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4226, §5.4.
    #[test]
    fn a_keyed_hash_is_cut_as_the_rfc_has_it() {
        let mac = [
            0x1f, 0x86, 0x98, 0x69, 0x0e, 0x02, 0xca, 0x16, 0x61, 0x85, 0x50, 0xef, 0x7f, 0x19, 0xda, 0x8e,
            0x94, 0x5b, 0x55, 0x5a,
        ];
        assert_eq!(Code::truncated(&mac).digits().expose(), "872921");
    }

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for text in ["012345", " 012 345 ", "01 23 45"] {
            assert_eq!(Code::parse(text).unwrap().digits().expose(), "012345");
        }
        for text in ["", "12345", "1234567", "12345a", "+12345", "１２３４５６"] {
            assert!(Code::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_step_is_thirty_seconds_and_its_neighbours_are_taken_too() {
        let at = |micros| Timestamp::from_micros(micros);
        assert_eq!((step(at(59_999_999)), step(at(60_000_000))), (1, 2));
        assert_eq!(steps(at(60_000_000)), [2, 1, 3]);
    }

    /// RFC 4648, §10.
    #[test]
    fn bytes_are_written_as_the_rfc_has_it() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()).expose(), text);
        }
    }

    #[test]
    fn an_app_reads_issuer_account_and_secret() {
        let uri = uri("Tide mark", "a+b@example.com", &Secret::new("MZXW6".to_owned()));
        assert_eq!(
            uri.expose(),
            "otpauth://totp/Tide%20mark:a%2Bb%40example.com?secret=MZXW6&issuer=Tide%20mark&algorithm=SHA1&digits=6&period=30"
        );
    }
}
