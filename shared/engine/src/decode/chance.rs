//! Detection of windows-1252 text that is valid UTF-8 by chance: the bytes of `É®`, at the end of a word in capitals,
//! are `ɮ` in UTF-8, and those of `ß“`, at the end of any word, are a West African letter.

/// Returns whether the bytes are valid UTF-8 with at least one character beyond ASCII that is not UTF-8 by chance.
pub(crate) fn is_utf_8(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| characters(text).any(|is_chance| !is_chance))
}

/// Returns, for each character beyond ASCII, whether it is probably UTF-8 by chance.
pub(super) fn characters(text: &str) -> impl Iterator<Item = bool> {
    let bytes = text.as_bytes();
    text.char_indices().filter(|(_, character)| !character.is_ascii()).map(move |(at, character)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let end = at.saturating_add(character.len_utf8());
        let own = bytes.get(at..end).expect("the character is part of the text");
        let after = bytes.get(end);
        let ends_capitals = before.is_some_and(u8::is_ascii_uppercase)
            && !character.is_uppercase()
            && !after.is_some_and(u8::is_ascii_lowercase);
        match own {
            [SHARP_S, mark] => before.is_some_and(u8::is_ascii_alphabetic) && is_mark(*mark),
            [capital, mark] => ends_capitals && is_rare(*capital) && is_mark(*mark),
            _ => false,
        }
    })
}

/// `ß` of windows-1252.
const SHARP_S: u8 = 0xdf;

/// Returns whether a capital letter of windows-1252 is, in UTF-8, the first byte of rare letters, such as phonetic,
/// Armenian and Syriac ones. First bytes of Czech, Greek, Cyrillic and Hebrew letters and of accents are excluded.
fn is_rare(capital: u8) -> bool {
    matches!(capital, 0xc6..=0xcb | 0xd2..=0xd6 | 0xd8..=0xde)
}

/// Returns whether a byte of windows-1252 is a quotation mark, `™`, `®` or another mark that may follow a word.
fn is_mark(byte: u8) -> bool {
    matches!(
        byte,
        0x80 | 0x85 | 0x8b | 0x91
            ..=0x97 | 0x99 | 0x9b | 0xa0 | 0xa9 | 0xab | 0xae | 0xb0 | 0xb2 | 0xb3 | 0xb7 | 0xb9 | 0xbb
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_after_words_in_capitals_are_not_utf_8() {
        for text in [
            &b"NESCAF\xc9\xae Gold"[..],
            b"CAF\xc9\x92S",
            b"\xabJOS\xc9\xbb",
            b"MEN\xdc\x93",
            b"ROS\xc9\x99",
            b"Spa\xdf\x93",
            b"Spa\xdf\xae Gold",
        ] {
            assert!(!is_utf_8(text), "{text:?}");
        }
    }

    #[test]
    fn letters_of_real_languages_are_utf_8() {
        for text in
            ["Café", "CAFÉ", "Mě", "și", "PITEȘTI", "Kπ", "À la carte", "日本", "10 €", "ɛ", "Nǐ hǎo", "ИКЕЯ"]
        {
            assert!(is_utf_8(text.as_bytes()), "{text}");
        }
        assert!(!is_utf_8(b"plain") && !is_utf_8(b"M\xfcller"));
    }
}
