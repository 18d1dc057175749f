//! The secret that an authenticator app shares with the server. It lies sealed, and makes codes here alone.

use aws_lc_rs::hmac;
use tidemark_domain::secret::Secret;
use tidemark_domain::totp::{Code, SECRET_LEN, base32};
use zeroize::Zeroizing;

use crate::sealing::random;

/// 160 random bits.
pub struct TotpSecret(Zeroizing<[u8; SECRET_LEN]>);

impl TotpSecret {
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_LEN]);
        bytes.copy_from_slice(&random()[..SECRET_LEN]);
        Self(bytes)
    }

    pub fn from_bytes(bytes: [u8; SECRET_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// As a person types it into an app.
    pub fn base32(&self) -> Secret {
        base32(&*self.0)
    }

    /// The code of a step (RFC 6238 §4.2). SHA-1 is what every app knows; as a keyed hash it is not broken.
    pub fn code(&self, step: i64) -> Code {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &*self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let mut mac = [0; SECRET_LEN];
        mac.copy_from_slice(tag.as_ref());
        Code::truncated(&mac)
    }

    /// The step that a code belongs to, of several.
    pub fn step_of(&self, code: Code, steps: &[i64]) -> Option<i64> {
        steps.iter().copied().find(|step| self.code(*step) == code)
    }

    pub(crate) fn bytes(&self) -> &[u8; SECRET_LEN] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = TotpSecret::from_bytes(*b"12345678901234567890");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = seconds / 30;
            assert_eq!(secret.code(step).digits().expose(), code, "{seconds}");
            let code = Code::parse(code).unwrap();
            assert_eq!(secret.step_of(code, &[step + 1, step]), Some(step));
            assert_eq!(secret.step_of(code, &[step + 1]), None);
        }
        assert_eq!(secret.base32().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn every_secret_is_another() {
        assert!(TotpSecret::generate().bytes() != TotpSecret::generate().bytes());
    }
}
