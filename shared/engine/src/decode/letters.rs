//! The characters of windows-1252 and what surrounds them: whether a Western text has them in such places.
//!
//! A text in another encoding, read as windows-1252, has symbols within words (`bia³y` for `biały`), capitals after small letters
//! (`MŸnchen`), letters where no Western language has them (`veèer` for `večer`), or no ASCII letters beside the others.

/// A byte beyond ASCII, with the bytes around it; 0 beyond the ends of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct NonAsciiByte<'a> {
    pub(super) byte: u8,
    before: &'a [u8],
    after: &'a [u8],
}

impl<'a> NonAsciiByte<'a> {
    /// Every byte beyond ASCII of a text.
    pub(super) fn all(text: &'a [u8]) -> impl Iterator<Item = NonAsciiByte<'a>> {
        text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii()).map(|(at, byte)| {
            let (before, rest) = text.split_at_checked(at).unwrap_or_default();
            NonAsciiByte { byte: *byte, before, after: rest.get(1..).unwrap_or_default() }
        })
    }

    /// The number of bytes before it.
    pub(super) fn offset(self) -> usize {
        self.before.len()
    }

    fn previous(self) -> u8 {
        self.before.last().copied().unwrap_or_default()
    }

    fn next(self) -> u8 {
        self.after.first().copied().unwrap_or_default()
    }

    /// The letters directly before it.
    fn word_before(self) -> &'a [u8] {
        let start =
            self.before.iter().rposition(|byte| !is_letter(*byte)).map_or(0, |at| at.saturating_add(1));
        self.before.get(start..).unwrap_or_default()
    }

    /// True for a symbol in a place where Western texts hardly ever have it: mostly between two letters. Those that names of
    /// products have there (`Core™i7`, `H²O`) are none.
    pub(super) fn is_symbol_in_word(self) -> bool {
        const UNITS: [&[u8]; 8] = [b"m", b"cm", b"dm", b"mm", b"km", b"Nm", b"ft", b"in"];
        let (previous, next) = (self.previous(), self.next());
        let is_inside = is_letter(previous) && is_letter(next);
        let is_among_small = is_small(previous) && is_small(next);
        let is_before_word = !previous.is_ascii_alphanumeric() && !is_letter(previous) && is_small(next);
        match self.byte {
            // The currency sign is used for nothing. ISO-8859-15 has the euro sign there.
            0xa4 => true,
            // „†‡ˆ‰‹›¡¢§¨¬¶¸¼½¾¿
            0x84
            | 0x86..=0x89
            | 0x8b
            | 0x9b
            | 0xa1
            | 0xa2
            | 0xa7
            | 0xa8
            | 0xac
            | 0xb6
            | 0xb8
            | 0xbc..=0xbf => is_inside,
            // ƒ˜£¥¯
            0x83 | 0x98 | 0xa3 | 0xa5 | 0xaf => is_letter(next),
            // €¦
            0x80 | 0xa6 => is_before_word,
            // ‚“”±¹
            0x82 | 0x93 | 0x94 | 0xb1 | 0xb9 => is_among_small,
            // ª«º» but for `nº` and the like.
            0xaa | 0xab | 0xba | 0xbb => is_among_small && self.word_before().len() > 1,
            // ³ but for `m³h` and the like.
            0xb3 => is_among_small && !UNITS.contains(&self.word_before()),
            _ => false,
        }
    }

    /// True for an en dash between two small vowels: `ñ` of Macs.
    pub(super) fn is_dash_in_word(self) -> bool {
        let is_small_vowel = |byte: u8| is_small(byte) && is_vowel(byte);
        self.byte == 0x96 && is_small_vowel(self.previous()) && is_small_vowel(self.next())
    }

    /// True for one of `ŠŒŽŸ` after a small letter: small letters of Macs. Other capitals begin a part of a name (`BioÖl`).
    pub(super) fn is_capital_in_word(self) -> bool {
        matches!(self.byte, 0x8a | 0x8c | 0x8e | 0x9f) && is_small(self.previous())
    }

    /// True for a letter that no Western language has in this place. `others`: the letters of the text.
    pub(super) fn is_foreign_letter(self, others: &Letters) -> bool {
        let (previous, next) = (small(self.previous()), small(self.next()));
        let (is_first, is_last) = (!is_letter(previous), !is_letter(next));
        let follows_vowel = is_vowel(previous);
        let is_known = match small(self.byte) {
            // Final, as in Italian; French `-ère`, `-ècle`.
            0xe8 => is_last && !follows_vowel || !is_first && self.is_before_consonants_and_e(),
            // Portuguese and French.
            0xea => matches!(next, b'n' | b'm' | b't' | b'l' | b'r') || self.is_before_s(),
            // Portuguese: `ão`, `ãe`, `ã`, `ãs`.
            0xe3 => is_last || matches!(next, b'o' | b'e') || self.is_before_s(),
            0xf1 => is_vowel(next) && !is_last,
            // Italian and French have these at the end.
            b'\xe0' | b'\xec' | b'\xf2' | 0xf9 => is_last,
            0xef => follows_vowel,
            0xfb => !is_last,
            0xe5 => others.are_scandinavian(),
            // `Ø 80 mm` is a diameter.
            0xf8 if is_first && is_last => true,
            0xf8 => {
                let is_in_place = if is_last { !follows_vowel } else { !is_vowel(next) || next == b'e' };
                others.are_scandinavian() && is_in_place
            }
            0xe6 => {
                let is_in_place = if is_last {
                    matches!(previous, b'r' | b'v' | b'l' | b'n')
                } else {
                    !is_vowel(next) || next == b'i' && !is_first
                };
                others.are_scandinavian() && is_in_place || others.are_icelandic() && !is_vowel(next)
            }
            0xf0 => others.are_icelandic() && !is_first,
            b'\xfd' | 0xfe => others.are_icelandic(),
            // `is_out_of_place` decides.
            0xf5 => true,
            _ => !matches!(self.byte, 0x8c | 0x9c | 0x9f),
        };
        !is_french_ligature(self.byte, next) && !is_known
    }

    /// An `s` follows that ends the word, or two.
    fn is_before_s(self) -> bool {
        let is_s = |byte: &u8| small(*byte) == b's';
        let second = self.after.get(1);
        self.after.first().is_some_and(is_s) && second.is_none_or(|byte| is_s(byte) || !is_letter(*byte))
    }

    /// One or two consonants follow, and an `e`.
    fn is_before_consonants_and_e(self) -> bool {
        let is_consonant = |byte: &u8| byte.is_ascii_alphabetic() && !is_vowel(*byte);
        let consonants = self.after.iter().take(3).take_while(|byte| is_consonant(byte)).count();
        (1..=2).contains(&consonants) && matches!(self.after.get(consonants), Some(b'e' | b'E'))
    }

    /// True for `õ` before anything but `e`, as Portuguese alone among the Western languages has it, and for `š` and `ž` between
    /// consonants, where Macs have `ö` and `û`.
    pub(super) fn is_out_of_place(self) -> bool {
        let (previous, next) = (self.previous(), self.next());
        let is_consonant = |byte: u8| byte.is_ascii_alphabetic() && !is_vowel(byte);
        match small(self.byte) {
            0xf5 => is_letter(previous) && !matches!(next, b'e' | b'E'),
            0x9a | 0x9e => is_consonant(previous) && is_consonant(next),
            _ => false,
        }
    }
}

/// True for `œ` in French words: `œuf`, `œil`.
fn is_french_ligature(byte: u8, next: u8) -> bool {
    matches!(byte, 0x8c | 0x9c) && matches!(small(next), b'u' | b'i')
}

/// The letters beyond ASCII of a text, as small ones.
#[derive(Debug)]
pub(super) struct Letters {
    has: [bool; 256],
}

impl Letters {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut has = [false; 256];
        for byte in text.iter().filter(|byte| !byte.is_ascii() && is_letter(**byte)) {
            if let Some(has) = has.get_mut(usize::from(small(*byte))) {
                *has = true;
            }
        }
        Self { has }
    }

    fn are_among(&self, letters: &[u8]) -> bool {
        let found = (0..=u8::MAX).zip(&self.has).filter(|(_, has)| **has);
        found.into_iter().all(|(byte, _)| letters.contains(&byte))
    }

    /// æøåäöéü and nothing else.
    fn are_scandinavian(&self) -> bool {
        self.are_among(b"\xe6\xf8\xe5\xe4\xf6\xe9\xfc")
    }

    /// áéíóúýþæöð and nothing else, some of which are no letters of Turkish.
    fn are_icelandic(&self) -> bool {
        let own = b"\xe1\xe9\xed\xf3\xfa\xe6";
        let has_own = own.iter().any(|byte| self.has.get(usize::from(*byte)) == Some(&true));
        has_own && self.are_among(b"\xe1\xe9\xed\xf3\xfa\xfd\xfe\xe6\xf6\xf0")
    }
}

/// True for a letter of windows-1252.
pub(super) fn is_letter(byte: u8) -> bool {
    is_capital(byte) || is_small(byte)
}

fn is_capital(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | 0x8a | 0x8c | 0x8e | 0x9f | 0xc0..=0xd6 | 0xd8..=0xde)
}

fn is_small(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | 0x9a | 0x9c | 0x9e | 0xdf..=0xf6 | 0xf8..=0xff)
}

/// The small letter of a capital one.
fn small(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' | 0xc0..=0xd6 | 0xd8..=0xde => byte | 0x20,
        0x8a | 0x8c | 0x8e => byte | 0x10,
        0x9f => 0xff,
        other => other,
    }
}

/// a, e, i, o, u and y with and without accents.
fn is_vowel(byte: u8) -> bool {
    matches!(
        small(byte),
        b'a' | b'e' | b'i' | b'o' | b'u' | b'y' | 0xe0..=0xe6 | 0xe8..=0xef | 0xf2..=0xf6 | 0xf8..=0xfd | 0xff
    )
}

/// A mark that may be next to others and to letters: quotes, dashes, no-break spaces and the like.
pub(super) fn is_punctuation(byte: u8) -> bool {
    matches!(
        byte,
        0x80 | 0x82 | 0x84 | 0x85 | 0x8b | 0x91..=0x97 | 0x9b | 0xa0 | 0xa1 | 0xab | 0xad | 0xbb | 0xbf
    )
}
