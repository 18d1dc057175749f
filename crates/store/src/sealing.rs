//! Encryption of what must not lie in the clear.
//!
//! A sealed value is `version (1) · algorithm (1) · key number (4, big-endian) · nonce (12) · ciphertext ·
//! tag (16)`. The associated data is a purpose constant, which is never changed, the requester and the row:
//! a ciphertext that is moved elsewhere does not open. Nothing here touches the database.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, hmac, rand};
use bytes::Bytes;
use tidemark_domain::id::{CheckId, RequesterId};
use tidemark_domain::secret::Secret;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// AES-256-GCM-SIV (RFC 8452): a repeated random nonce would show only that two plaintexts are equal.
const AES_256_GCM_SIV_ID: u8 = 1;
const HEADER: usize = 1 + 1 + 4 + 12;
const KEY_LEN: usize = 32;

/// What a sealed value is for. The texts are part of what is authenticated: they never change.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    DataKey,
    KeySets,
    RequestPart,
    CheckTicket,
    ShownPart,
    WebhookUrl,
    DeliveryUrl,
    Creator,
    Email,
    IdempotentReply,
    SegmentHead,
    SegmentPart,
    TotpSecret,
    /// Of a second factor that is being set up.
    NewTotpSecret,
    DraftHead,
    DraftPart,
    /// In memory only.
    Cvv,
}

impl Purpose {
    const fn text(self) -> &'static [u8] {
        match self {
            Self::DataKey => b"tidemark/data_keys.wrapped/1",
            Self::KeySets => b"tidemark/key_sets.keys/1",
            Self::RequestPart => b"tidemark/request_parts.request/1",
            Self::CheckTicket => b"tidemark/checks.ticket/1",
            Self::ShownPart => b"tidemark/shown_parts.shown/1",
            Self::WebhookUrl => b"tidemark/batches.webhook_url/1",
            Self::DeliveryUrl => b"tidemark/deliveries.url/1",
            Self::Creator => b"tidemark/batches.creator/1",
            Self::Email => b"tidemark/batches.email/1",
            Self::IdempotentReply => b"tidemark/idempotency.reply/1",
            Self::SegmentHead => b"tidemark/segments.head/1",
            Self::SegmentPart => b"tidemark/segment_parts.sealed/1",
            Self::TotpSecret => b"tidemark/users.totp_secret/1",
            Self::NewTotpSecret => b"tidemark/sessions.new_totp_secret/1",
            Self::DraftHead => b"tidemark/drafts.head/1",
            Self::DraftPart => b"tidemark/draft_parts.sealed/1",
            Self::Cvv => b"tidemark/cvv/1",
        }
    }

    /// `purpose · 0 · requester (16) · row`.
    fn aad(self, requester_id: RequesterId, row: &[u8]) -> Vec<u8> {
        [self.text(), &[0], requester_id.uuid().as_bytes(), row].concat()
    }
}

/// A value that does not open: altered, moved, cut short, or sealed under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unopenable;

/// One AES key and the number under which sealed values name it.
pub(crate) struct SealingKey {
    key_no: i32,
    key: RandomizedNonceKey,
}

impl SealingKey {
    pub(crate) fn new(key_no: i32, bytes: &[u8; KEY_LEN]) -> Self {
        // 32 bytes always make an AES-256 key.
        #[expect(clippy::unwrap_used)]
        let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes).unwrap();
        Self { key_no, key }
    }

    pub(crate) fn seal(
        &self,
        purpose: Purpose,
        requester_id: RequesterId,
        row: &[u8],
        plain: Vec<u8>,
    ) -> Vec<u8> {
        let mut text = Zeroizing::new(plain);
        let aad = Aad::from(purpose.aad(requester_id, row));
        // Fails only for texts beyond 64 GiB or without a random source, where nothing can go on.
        #[expect(clippy::unwrap_used)]
        let nonce: Nonce = self.key.seal_in_place_append_tag(aad, &mut *text).unwrap();
        let mut sealed = Vec::with_capacity(HEADER + text.len());
        sealed.extend([VERSION, AES_256_GCM_SIV_ID]);
        sealed.extend(self.key_no.to_be_bytes());
        sealed.extend(nonce.as_ref());
        sealed.extend(&*text);
        sealed
    }

    pub(crate) fn open(
        &self,
        purpose: Purpose,
        requester_id: RequesterId,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unopenable> {
        let nonce = self.nonce(sealed)?;
        let mut text = Zeroizing::new(sealed[HEADER..].to_vec());
        let len = self.open_in_place(nonce, &purpose.aad(requester_id, row), &mut text)?;
        text.truncate(len);
        Ok(text)
    }

    /// The same without a copy, for large values that go out as they are: what comes out is not erased at its end.
    pub(crate) fn open_owned(
        &self,
        purpose: Purpose,
        requester_id: RequesterId,
        row: &[u8],
        mut sealed: Vec<u8>,
    ) -> Result<Bytes, Unopenable> {
        let nonce = self.nonce(&sealed)?;
        let aad = purpose.aad(requester_id, row);
        let len = self.open_in_place(nonce, &aad, &mut sealed[HEADER..])?;
        Ok(Bytes::from(sealed).slice(HEADER..HEADER + len))
    }

    fn nonce(&self, sealed: &[u8]) -> Result<Nonce, Unopenable> {
        if key_no(sealed)? != self.key_no {
            return Err(Unopenable);
        }
        Nonce::try_assume_unique_for_key(&sealed[6..HEADER]).map_err(|_| Unopenable)
    }

    /// Opens what lies behind the header; the length of the plaintext, which then begins there.
    fn open_in_place(&self, nonce: Nonce, aad: &[u8], text: &mut [u8]) -> Result<usize, Unopenable> {
        let plain = self.key.open_in_place(nonce, Aad::from(aad), text);
        plain.map(|plain| plain.len()).map_err(|_| Unopenable)
    }
}

/// The number of the key that a sealed value was made with.
pub(crate) fn key_no(sealed: &[u8]) -> Result<i32, Unopenable> {
    match sealed {
        [VERSION, AES_256_GCM_SIV_ID, a, b, c, d, ..] if sealed.len() >= HEADER => {
            Ok(i32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => Err(Unopenable),
    }
}

/// The key that protects every requester's data keys. It never lies in the database.
pub struct MasterKey {
    bytes: Zeroizing<[u8; KEY_LEN]>,
    key: SealingKey,
}

impl MasterKey {
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self {
            key: SealingKey::new(0, &bytes),
            bytes,
        }
    }

    /// A new random key.
    pub fn generate() -> Self {
        Self::from_bytes(*random())
    }

    /// The 64 hexadecimal digits of a key file; `None` where the text is no such thing.
    pub fn from_hex(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        if text.len() != 2 * KEY_LEN || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
        }
        Some(Self::from_bytes(*bytes))
    }

    pub fn to_hex(&self) -> Zeroizing<String> {
        let mut text = String::with_capacity(2 * KEY_LEN);
        for byte in self.bytes.iter() {
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        Zeroizing::new(text)
    }

    /// What the database keeps to know the key again, and what tells nothing about it.
    pub(crate) fn check_value(&self) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.bytes);
        hmac::sign(&key, b"tidemark/master key check/1").as_ref().to_vec()
    }

    /// A keyed hash for what belongs to no requester.
    pub(crate) fn keyed_hash(&self, purpose: &'static str, text: &str) -> Digest {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.bytes);
        Digest::keyed(&key, purpose.as_bytes(), &[text.as_bytes()])
    }

    pub(crate) fn wrap(&self, requester_id: RequesterId, row: &[u8], data_key: &[u8; KEY_LEN]) -> Vec<u8> {
        self.key
            .seal(Purpose::DataKey, requester_id, row, data_key.to_vec())
    }

    pub(crate) fn unwrap(
        &self,
        requester_id: RequesterId,
        row: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; KEY_LEN]>, Unopenable> {
        let plain = self.key.open(Purpose::DataKey, requester_id, row, wrapped)?;
        <[u8; KEY_LEN]>::try_from(plain.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| Unopenable)
    }
}

/// A key that lives and dies with the process, for what must never be written anywhere.
pub struct VolatileKey(SealingKey);

impl VolatileKey {
    pub fn generate() -> Self {
        Self(SealingKey::new(0, &random()))
    }

    pub fn seal(&self, requester_id: RequesterId, id: CheckId, plain: &str) -> Vec<u8> {
        self.0.seal(
            Purpose::Cvv,
            requester_id,
            id.to_string().as_bytes(),
            plain.as_bytes().to_vec(),
        )
    }

    /// `None` if it was sealed for another check.
    pub fn open(&self, requester_id: RequesterId, id: CheckId, sealed: &[u8]) -> Option<Secret> {
        let plain = self
            .0
            .open(Purpose::Cvv, requester_id, id.to_string().as_bytes(), sealed)
            .ok()?;
        std::str::from_utf8(&plain)
            .ok()
            .map(|text| Secret::new(text.to_owned()))
    }
}

/// Random bytes from the operating system's generator, for keys.
pub(crate) fn random() -> Zeroizing<[u8; KEY_LEN]> {
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    // Without a random source there is no safe way on.
    #[expect(clippy::expect_used)]
    rand::fill(&mut *bytes).expect("the operating system's random source failed");
    bytes
}

/// A hash or keyed hash of 256 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub(crate) fn sha256(bytes: &[u8]) -> Self {
        Self::of(digest::digest(&digest::SHA256, bytes).as_ref())
    }

    /// HMAC-SHA256 over `purpose · 0 · parts`, each part behind its length, so that no two lists of parts
    /// read alike.
    pub(crate) fn keyed(key: &hmac::Key, purpose: &[u8], parts: &[&[u8]]) -> Self {
        let mut context = hmac::Context::with_key(key);
        context.update(purpose);
        context.update(&[0]);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        Self::of(context.sign().as_ref())
    }

    fn of(bytes: &[u8]) -> Self {
        let mut digest = [0; 32];
        digest.copy_from_slice(bytes);
        Self(digest)
    }
}

#[cfg(test)]
mod tests {
    use tidemark_domain::clock::Timestamp;

    use super::*;

    fn requester(n: u8) -> RequesterId {
        RequesterId::new(Timestamp::from_micros(0), [n; 10])
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_own_place() {
        let key = SealingKey::new(3, &[7; 32]);
        let sealed = key.seal(Purpose::ShownPart, requester(1), b"row", b"123-45-6789".to_vec());
        assert!(!sealed.windows(11).any(|w| w == b"123-45-6789"));
        assert_eq!(
            key.open(Purpose::ShownPart, requester(1), b"row", &sealed)
                .unwrap()
                .as_slice(),
            b"123-45-6789"
        );
        assert!(
            key.open(Purpose::ShownPart, requester(1), b"raw", &sealed)
                .is_err()
        );
        assert!(
            key.open(Purpose::ShownPart, requester(2), b"row", &sealed)
                .is_err()
        );
        assert!(
            key.open(Purpose::RequestPart, requester(1), b"row", &sealed)
                .is_err()
        );
        assert!(
            SealingKey::new(3, &[8; 32])
                .open(Purpose::ShownPart, requester(1), b"row", &sealed)
                .is_err()
        );
        assert!(
            SealingKey::new(4, &[7; 32])
                .open(Purpose::ShownPart, requester(1), b"row", &sealed)
                .is_err()
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let key = SealingKey::new(1, &[7; 32]);
        let sealed = key.seal(Purpose::Creator, requester(1), b"", b"Jane Doe".to_vec());
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(
                key.open(Purpose::Creator, requester(1), b"", &altered).is_err(),
                "bit {bit}"
            );
        }
        for len in 0..sealed.len() {
            assert!(
                key.open(Purpose::Creator, requester(1), b"", &sealed[..len])
                    .is_err(),
                "length {len}"
            );
        }
    }

    #[test]
    fn a_master_key_comes_back_from_its_file_form() {
        let key = MasterKey::generate();
        let again = MasterKey::from_hex(&format!("{}\n", *key.to_hex())).unwrap();
        assert!(key.bytes == again.bytes);
        assert!(MasterKey::from_hex("abc").is_none());
        assert!(MasterKey::from_hex(&"g".repeat(64)).is_none());
        assert_eq!(key.check_value(), again.check_value());
        assert_ne!(key.check_value(), MasterKey::generate().check_value());
    }

    #[test]
    fn a_keyed_hash_keeps_its_parts_apart() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        assert_ne!(
            Digest::keyed(&key, b"p", &[b"ab", b"c"]),
            Digest::keyed(&key, b"p", &[b"a", b"bc"])
        );
    }
}
