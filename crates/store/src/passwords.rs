//! Passwords as they are kept: argon2id (RFC 9106), slow and hungry for memory on purpose. Whoever calls this sees to
//! it that few do at once.

use argon2::password_hash::phc::{PasswordHash as Phc, Salt};
use argon2::{Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use tidemark_domain::secret::Secret;

use crate::sealing::random;

/// KiB of memory, and passes over it: what OWASP asks for at least, some tens of milliseconds of one core.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;

/// A hash as a PHC string, which says by itself how it was made.
pub struct PasswordHash(Secret);

impl PasswordHash {
    /// Hashes a password with a new random salt.
    pub fn of(password: &Secret) -> Self {
        // Both fail only for parameters that these are not.
        #[expect(clippy::unwrap_used)]
        let params = Params::new(MEMORY, PASSES, 1, None).unwrap();
        let salt = &random()[..Salt::RECOMMENDED_LENGTH];
        #[expect(clippy::unwrap_used)]
        let hash: Phc = Argon2::from(params)
            .hash_password_with_salt(password.expose().as_bytes(), salt)
            .unwrap();
        Self(Secret::new(hash.to_string()))
    }

    /// The hash of no password that anybody knows: holding one against it takes as long as against a real one.
    pub fn nobodys() -> Self {
        const TEXT: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5cyBzYWx0IGF0IQ\
                            $n0b0dyKn0wsThisPassw0rd0rAnyThatGivesThese0";
        Self::stored(TEXT.to_owned())
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(Secret::new(text))
    }

    pub(crate) fn text(&self) -> &str {
        self.0.expose()
    }

    /// Whether it is the hash of this password.
    pub fn is_of(&self, password: &Secret) -> bool {
        Phc::new(self.text()).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.expose().as_bytes(), &hash)
                .is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_hash_knows_its_own_password_and_no_other() {
        let hash = PasswordHash::of(&secret("correct horse battery"));
        assert!(
            hash.text().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.text()
        );
        let stored = PasswordHash::stored(hash.text().to_owned());
        assert!(stored.is_of(&secret("correct horse battery")));
        assert!(!stored.is_of(&secret("correct horse battery ")));
        assert!(PasswordHash::of(&secret("correct horse battery")).text() != hash.text());
    }

    /// Else an unknown e-mail address would be told by the time that its answer takes.
    #[test]
    fn nobodys_hash_is_as_much_work_as_any_other() {
        let of = |hash: &PasswordHash| {
            let phc = Phc::new(hash.text()).unwrap();
            let params = Params::try_from(&phc).unwrap();
            let lengths = (
                phc.salt.unwrap().as_ref().len(),
                phc.hash.unwrap().as_bytes().len(),
            );
            (params.m_cost(), params.t_cost(), params.p_cost(), lengths)
        };
        assert_eq!(of(&PasswordHash::nobodys()), of(&PasswordHash::of(&secret("x"))));
        assert!(!PasswordHash::nobodys().is_of(&secret("")));
    }

    #[test]
    fn what_is_no_hash_is_nobodys_password() {
        for text in ["", "$argon2id$", "plain"] {
            assert!(!PasswordHash::stored(text.to_owned()).is_of(&secret(text)));
        }
    }
}
