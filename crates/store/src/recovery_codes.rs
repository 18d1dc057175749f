//! Recovery codes: what stands in for the second factor when the device is lost. Shown once, kept as a hash, and
//! each taken once.

use tidemark_domain::clock::Timestamp;
use tidemark_domain::id::UserId;
use tidemark_domain::secret::Secret;

use crate::backend::{on, run};
use crate::error::Result;
use crate::open::Store;
use crate::sealing::{Digest, random};
use crate::tx::Tx;
use crate::users::User;

/// Characters of a code: 80 bits, five in each. Nobody guesses that, not even with the hash at hand.
const LEN: usize = 16;
/// Without letters that are taken for digits or for each other.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A code as its holder has it: `k3vz-9p0c-x2ma-7hqt`.
#[derive(Clone)]
pub struct RecoveryCode(Secret);

impl RecoveryCode {
    /// A new random code.
    pub fn generate() -> Self {
        let digits = random()
            .iter()
            .take(LEN)
            .map(|byte| char::from(DIGITS[usize::from(byte & 31)]))
            .collect();
        Self(Secret::new(digits))
    }

    /// Reads what a person typed; `None` where it cannot be a code.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let meant = plain.map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            c => c,
        });
        let code = Secret::new(meant.collect());
        let valid = code.expose().len() == LEN && code.expose().bytes().all(|b| DIGITS.contains(&b));
        valid.then_some(Self(code))
    }

    /// The text, to be shown once.
    pub fn shown(&self) -> Secret {
        let text = self.0.expose();
        Secret::new([&text[..4], &text[4..8], &text[8..12], &text[12..]].join("-"))
    }

    fn hash(&self) -> Vec<u8> {
        Digest::sha256(self.0.expose().as_bytes()).0.to_vec()
    }
}

impl Tx {
    /// Replaces all codes of a user.
    pub async fn set_recovery_codes(&mut self, user: &User, codes: &[RecoveryCode]) -> Result<()> {
        const DELETE: &str = "DELETE FROM recovery_codes WHERE user_id = $1";
        const INSERT: &str =
            "INSERT INTO recovery_codes (user_id, code_hash, requester_id) VALUES ($1, $2, $3)";
        let (id, owner) = (user.user_id.uuid(), user.requester_id.uuid());
        run!(&mut self.conn, DELETE, id)?;
        for code in codes {
            run!(&mut self.conn, INSERT, id, code.hash(), owner)?;
        }
        Ok(())
    }

    /// Uses a code up; whether there was one to use.
    pub async fn use_recovery_code(
        &mut self,
        id: UserId,
        code: &RecoveryCode,
        now: Timestamp,
    ) -> Result<bool> {
        const UPDATE: &str = "UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL";
        let used = run!(&mut self.conn, UPDATE, id.uuid(), code.hash(), now.as_micros())?;
        Ok(used == 1)
    }
}

impl Store {
    /// How many codes a user has left.
    pub async fn recovery_codes_left(&self, id: UserId) -> Result<i64> {
        const SELECT: &str = "SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL";
        self.read("recovery_codes_left", move |reader| {
            Box::pin(async move {
                Ok(on!(&mut reader.conn, |c| sqlx::query_scalar(SELECT)
                    .bind(id.uuid())
                    .fetch_one(c)
                    .await)?)
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_however_it_is_typed() {
        let code = RecoveryCode(Secret::new("k3vz9p0cx2ma1hqt".to_owned()));
        assert_eq!(code.shown().expose(), "k3vz-9p0c-x2ma-1hqt");
        for text in ["k3vz-9p0c-x2ma-1hqt", " K3VZ 9POC X2MA LHQT ", "k3vz9p0cx2maihqt"] {
            assert!(
                RecoveryCode::parse(text).is_some_and(|again| again.hash() == code.hash()),
                "{text}"
            );
        }
        for text in [
            "",
            "k3vz-9p0c-x2ma-1hq",
            "k3vz-9p0c-x2ma-1hqtt",
            "u3vz-9p0c-x2ma-1hqt",
            "k3vz-9p0c-x2ma-1hqü",
        ] {
            assert!(RecoveryCode::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn every_code_is_another_and_can_be_read() {
        let (one, other) = (RecoveryCode::generate(), RecoveryCode::generate());
        assert!(one.hash() != other.hash());
        assert!(RecoveryCode::parse(one.shown().expose()).is_some_and(|again| again.hash() == one.hash()));
    }
}
