//! An authenticator app, for tests that sign in with one.
#![expect(clippy::unwrap_used, reason = "a test without its app fails")]

use tidemark_domain::clock::Timestamp;
use tidemark_domain::totp;
use tidemark_store::TotpSecret;

/// What has a user's secret and shows a code for every step (RFC 6238).
pub struct App(TotpSecret);

impl App {
    /// Reads the secret as a person types it.
    pub fn scanned(base32: &str) -> Self {
        let mut bytes = Vec::new();
        let (mut bits, mut held) = (0_u32, 0);
        for digit in base32.bytes() {
            let value = if digit.is_ascii_uppercase() {
                digit - b'A'
            } else {
                digit - b'2' + 26
            };
            bits = bits << 5 | u32::from(value);
            held += 5;
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held & 255).try_into().unwrap());
                bits &= (1 << held) - 1;
            }
        }
        Self(TotpSecret::from_bytes(bytes.try_into().unwrap()))
    }

    /// What it shows now.
    pub fn code(&self, now: Timestamp) -> String {
        self.code_of(totp::step(now))
    }

    /// What it shows in a step.
    pub fn code_of(&self, step: i64) -> String {
        self.0.code(step).digits().expose().to_owned()
    }

    /// A code that is none of about now.
    pub fn wrong_code(&self, now: Timestamp) -> String {
        let right = totp::steps(now).map(|step| self.code_of(step));
        let codes = (0..).map(|n| format!("{n:06}"));
        codes.into_iter().find(|code| !right.contains(code)).unwrap()
    }
}
