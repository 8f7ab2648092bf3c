//! Pseudonyms of values that must not be stored.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::error::PlanError;
use crate::hex::hex_digits;

/// The secret key of pseudonyms. With one key for all sources, equal values have equal pseudonyms everywhere and can be
/// joined.
#[derive(Clone)]
pub struct PseudonymKey(Hmac<Sha256>);

impl PseudonymKey {
    /// The fewest bytes of a key. This is half the length recommended for HMAC-SHA-256, which still cannot be guessed.
    pub const MIN_BYTES: usize = 16;

    /// Creates a key of at least [`Self::MIN_BYTES`] bytes. 32 random bytes are recommended.
    ///
    /// # Errors
    /// If the key is shorter.
    pub fn new(secret: &[u8]) -> Result<Self, PlanError> {
        if secret.len() < Self::MIN_BYTES {
            return Err(PlanError::ShortPseudonymKey { min_bytes: Self::MIN_BYTES });
        }
        let hmac = Hmac::new_from_slice(secret).expect("HMAC accepts keys of any length");
        Ok(Self(hmac))
    }

    /// Returns the pseudonym of a value.
    pub(crate) fn pseudonym(&self, value: &str) -> String {
        let mut pseudonym = Vec::new();
        self.write(value.as_bytes(), &mut pseudonym);
        pseudonym.into_iter().map(char::from).collect()
    }

    /// Appends the 64 hexadecimal digits of a value's HMAC-SHA-256.
    pub(crate) fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        let mut hmac = self.0.clone();
        hmac.update(value);
        out.extend(hex_digits(&hmac.finalize().into_bytes()));
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_the_hmac_of_rfc_4231() {
        // Test case 3 of the RFC: a key of twenty 0xaa, fifty 0xdd.
        let mut pseudonym = Vec::new();
        PseudonymKey::new(&[0xaa; 20]).unwrap().write(&[0xdd; 50], &mut pseudonym);
        let expected = b"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe";
        assert_eq!(pseudonym, expected);
    }

    #[test]
    fn a_short_key_is_rejected_and_keys_are_not_printed() {
        assert!(PseudonymKey::new(b"secret").is_err());
        assert_eq!(format!("{:?}", PseudonymKey::new(&[7; 32]).unwrap()), "PseudonymKey");
    }
}
