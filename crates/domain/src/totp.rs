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
