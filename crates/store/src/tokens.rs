//! What a browser shows to be let in: random, shown once, kept as a hash.

use tidemark_domain::secret::Secret;

use crate::api_keys::base62;
use crate::sealing::{Digest, random};

/// Base62 digits of 256 bits.
const LEN: usize = 43;

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        pub struct $name(Secret);

        impl $name {
            /// A new random one.
            pub fn generate() -> Self {
                Self(Secret::new(base62(&*random(), LEN)))
            }

            /// Reads what a browser sent; `None` where it cannot be one, which spares the database the question.
            pub fn parse(text: &str) -> Option<Self> {
                let valid = text.len() == LEN && text.bytes().all(|b| b.is_ascii_alphanumeric());
                valid.then(|| Self(Secret::new(text.to_owned())))
            }

            /// The text, for the one who is to have it.
            pub fn expose(&self) -> &str {
                self.0.expose()
            }

            /// A plain hash will do: there are 256 random bits, and nothing to guess.
            pub(crate) fn hash(&self) -> Vec<u8> {
                Digest::sha256(self.0.expose().as_bytes()).0.to_vec()
            }
        }
    )*};
}

tokens! {
    /// What a session is known by: the value of its cookie.
    SessionToken
    /// What lets somebody set a password once: the end of a link.
    LinkToken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        let token = SessionToken::generate();
        assert!(SessionToken::parse(token.expose()).is_some_and(|again| again.hash() == token.hash()));
        let short = &token.expose()[1..];
        for text in [
            "",
            short,
            &format!("{short}-"),
            &format!("{}x", token.expose()),
            &format!("{}ü", &short[1..]),
        ] {
            assert!(SessionToken::parse(text).is_none());
        }
        assert!(SessionToken::generate().hash() != token.hash());
    }
}
