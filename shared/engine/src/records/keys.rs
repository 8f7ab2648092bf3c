//! Strings and keys of the JSON around the arrays: whether they are text, and whether an object has a key twice.

use std::collections::HashSet;

use encoding_rs::{Encoding, UTF_8};
use siphasher::sip128::SipHasher13;

/// The keys that an object had so far, as hashes: the objects around an array may have very many.
#[derive(Debug, Default)]
pub(super) struct HashedKeys(HashSet<u128>);

impl HashedKeys {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a key. `false`: the object had it.
    pub(super) fn add(&mut self, key: &str) -> bool {
        self.0.insert(SipHasher13::new().hash(key.as_bytes()).as_u128())
    }
}

/// The text of a key with its quotes and escapes. `None`: it is no text.
pub(super) fn text_of_key(literal: &[u8], encoding: &'static Encoding) -> Option<String> {
    if encoding == UTF_8 {
        return serde_json::from_slice(literal).ok();
    }
    let literal = encoding.decode_without_bom_handling_and_without_replacement(literal)?;
    serde_json::from_str(&literal).ok()
}

/// What a string in UTF-8 may go on with, byte by byte.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Utf8 {
    /// Bytes that the character lacks.
    missing: u8,
    /// The least and the greatest next one; 0x80 and 0xbf but after a few first bytes.
    least: u8,
    greatest: u8,
}

impl Utf8 {
    /// Goes on by a byte of a string, or its closing quote. `false`: the bytes are not UTF-8.
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

/// What the escapes of a string say of surrogates.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Surrogates {
    /// The first half of a pair came last.
    is_open: bool,
}

impl Surrogates {
    /// Goes on by anything but an escaped code unit. `false`: half of a pair is alone.
    #[inline]
    pub(super) fn accepts_other(self) -> bool {
        !self.is_open
    }

    /// Goes on by an escaped code unit.
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
        fn utf_8_is_what_the_standard_library_takes_for_it(
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
    fn halves_of_surrogate_pairs_are_no_text() {
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
