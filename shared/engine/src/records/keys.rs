//! Checks of strings and keys in the JSON around the arrays: valid UTF-8, surrogate pairs, and duplicate keys.

use std::collections::HashSet;

use encoding_rs::{Encoding, UTF_8};
use siphasher::sip128::SipHasher13;

/// The keys read so far in an object. Only hashes are stored, as an object around an array may have very many keys.
#[derive(Debug, Default)]
pub(super) struct HashedKeys(HashSet<u128>);

impl HashedKeys {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a key. Returns false if the object already had it.
    pub(super) fn add(&mut self, key: &str) -> bool {
        self.0.insert(SipHasher13::new().hash(key.as_bytes()).as_u128())
    }
}

/// Decodes a key from its literal with quotes and escapes. Returns `None` if it is not valid text.
pub(super) fn decode_key(literal: &[u8], encoding: &'static Encoding) -> Option<String> {
    if encoding == UTF_8 {
        return serde_json::from_slice(literal).ok();
    }
    let literal = encoding.decode_without_bom_handling_and_without_replacement(literal)?;
    serde_json::from_str(&literal).ok()
}

/// A validator of UTF-8 that accepts a string byte by byte.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Utf8 {
    /// The number of bytes that complete the character.
    missing: u8,
    /// The minimum and the maximum of the next byte: 0x80 and 0xbf, except after a few first bytes.
    least: u8,
    greatest: u8,
}

impl Utf8 {
    /// Processes a byte of a string, or its closing quote. Returns false if the bytes are not UTF-8.
    #[inline]
    pub(super) fn accepts(&mut self, byte: u8) -> bool {
        if self.missing > 0 {
            let fits = (self.least..=self.greatest).contains(&byte);
            *self = Self { missing: self.missing.saturating_sub(1), least: 0x80, greatest: 0xbf };
            return fits;
        }
        let (missing, least, greatest) = match byte {
            0..=0x7f => (0, 0x80, 0xbf),
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..=0xef => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            0x80..=0xc1 | 0xf5.. => return false,
        };
        *self = Self { missing, least, greatest };
        true
    }
}

/// A validator of the surrogate pairs among the escapes of a string.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Surrogates {
    /// The last code unit was the first half of a pair.
    is_open: bool,
}

impl Surrogates {
    /// Processes anything except an escaped code unit. Returns false after an unpaired surrogate.
    #[inline]
    pub(super) fn accepts_other(self) -> bool {
        !self.is_open
    }

    /// Processes an escaped code unit. Returns false for an unpaired surrogate.
    pub(super) fn accepts_unit(&mut self, unit: u16) -> bool {
        let is_second = (0xdc00..=0xdfff).contains(&unit);
        let fits = self.is_open == is_second;
        self.is_open = (0xd800..=0xdbff).contains(&unit);
        fits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_utf_8(bytes: &[u8]) -> bool {
        let mut state = Utf8::default();
        bytes.iter().chain(b"\"").all(|byte| state.accepts(*byte))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn utf_8_is_validated_like_in_the_standard_library(
            pieces in prop::collection::vec(prop_oneof![
                any::<char>().prop_map(|letter| letter.to_string().into_bytes()),
                prop::collection::vec(any::<u8>(), 1..3),
                prop::sample::select(vec![&b"\xed\xa0\x80"[..], b"\xc0\xaf", b"\xe0\x80\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98"])
                    .prop_map(<[u8]>::to_vec),
            ], 0..4),
        ) {
            let bytes = pieces.concat();
            prop_assert_eq!(is_utf_8(&bytes), str::from_utf8(&bytes).is_ok(), "{:x?}", bytes);
        }
    }

    #[test]
    fn unpaired_surrogates_are_not_accepted() {
        let is_text = |units: &[u16]| {
            let mut state = Surrogates::default();
            units.iter().all(|unit| state.accepts_unit(*unit)) && state.accepts_other()
        };
        assert!(is_text(&[0xd83d, 0xde00, 0x41]));
        for broken in [&[0xd83d][..], &[0xde00], &[0xd83d, 0x41], &[0xd83d, 0xd83d, 0xde00], &[0x41, 0xdfff]]
        {
            assert!(!is_text(broken), "{broken:x?}");
        }
    }
}
