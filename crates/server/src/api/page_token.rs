//! Page tokens: opaque, tamper-evident, and good only for the list that they came from.
//!
//! A token is a position and 128 bits of a hash under the requester's own key over the list's name and the
//! position, in URL-safe base64.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidemark_store::RequesterKeys;

use super::errors::ApiError;

const MAC_LEN: usize = 16;

/// Which list a token belongs to: its kind, and its own id where there are several.
pub(crate) struct List<'a> {
    pub(crate) kind: &'static str,
    pub(crate) id: &'a [u8],
}

impl List<'_> {
    pub(crate) fn token(&self, keys: &RequesterKeys, position: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode([position, &self.mac(keys, position)].concat())
    }

    /// The position that a token of this list holds. `N` is the length of this list's positions.
    pub(crate) fn position<const N: usize>(
        &self,
        keys: &RequesterKeys,
        token: &str,
    ) -> Result<[u8; N], ApiError> {
        let wrong = || ApiError::bad_request("The page token is not one that this list gave.");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let (position, mac) = bytes.split_first_chunk::<N>().ok_or_else(wrong)?;
        let expected = self.mac(keys, position);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected, mac).map_err(|_| wrong())?;
        Ok(*position)
    }

    fn mac(&self, keys: &RequesterKeys, position: &[u8]) -> [u8; MAC_LEN] {
        let hash = keys
            .keyed_hash(
                "tidemark/page_token/1",
                &[self.kind.as_bytes(), self.id, position],
            )
            .0;
        let mut mac = [0; MAC_LEN];
        mac.copy_from_slice(&hash[..MAC_LEN]);
        mac
    }
}
