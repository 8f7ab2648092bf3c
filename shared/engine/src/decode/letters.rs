//! Rules that decide whether a character of windows-1252 is plausible between its neighbours in a Western text.
//!
//! Text in another encoding that is decoded as windows-1252 has symbols inside words (`bia³y` for `biały`), capitals
//! after lower-case letters (`MŸnchen`), letters in positions where no Western language has them (`veèer` for `večer`),
//! or no ASCII letters.

/// A byte beyond ASCII and the text before and after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NonAsciiByte<'a> {
    pub(super) byte: u8,
    before: &'a [u8],
    after: &'a [u8],
}

impl<'a> NonAsciiByte<'a> {
    /// Returns the bytes beyond ASCII of a text.
    pub(super) fn all(text: &'a [u8]) -> impl Iterator<Item = NonAsciiByte<'a>> {
        text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii()).map(|(at, byte)| {
            let (before, rest) = text.split_at(at);
            let (_, after) = rest.split_first().expect("the rest begins with the byte");
            NonAsciiByte { byte: *byte, before, after }
        })
    }

    /// Returns the offset of the byte in the text.
    pub(super) fn offset(self) -> usize {
        self.before.len()
    }

    /// Returns the byte before it; 0 at the beginning of the text.
    fn previous(self) -> u8 {
        self.before.last().copied().unwrap_or_default()
    }

    /// Returns the byte after it; 0 at the end of the text.
    fn next(self) -> u8 {
        self.after.first().copied().unwrap_or_default()
    }

    /// Returns the letters directly before it.
    fn word_before(self) -> &'a [u8] {
        self.before.rsplit(|byte| !is_letter(*byte)).next().expect("a split has at least one part")
    }

    /// Returns whether it is a symbol in a position that is very rare in Western texts, mostly between two letters.
    /// Symbols that occur there in product names (`Core™i7`, `H²O`) are excluded.
    pub(super) fn is_symbol_in_word(self) -> bool {
        const UNITS: [&[u8]; 8] = [b"m", b"cm", b"dm", b"mm", b"km", b"Nm", b"ft", b"in"];
        let (previous, next) = (self.previous(), self.next());
        let is_inside = is_letter(previous) && is_letter(next);
        let is_among_small = is_small(previous) && is_small(next);
        let is_before_word = !previous.is_ascii_alphanumeric() && !is_letter(previous) && is_small(next);
        match self.byte {
            // The currency sign is not used. The byte is the euro sign in ISO-8859-15.
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
            // ª«º», except in abbreviations such as `nº`.
            0xaa | 0xab | 0xba | 0xbb => is_among_small && self.word_before().len() > 1,
            // ³, except in units such as `m³h`.
            0xb3 => is_among_small && !UNITS.contains(&self.word_before()),
            _ => false,
        }
    }

    /// Returns whether it is an en dash between two lower-case vowels, which is `ñ` in Mac OS Roman.
    pub(super) fn is_dash_in_word(self) -> bool {
        let is_small_vowel = |byte: u8| is_small(byte) && is_vowel(byte);
        self.byte == 0x96 && is_small_vowel(self.previous()) && is_small_vowel(self.next())
    }

    /// Returns whether it is one of `ŠŒŽŸ` after a lower-case letter, which are lower-case letters in Mac OS Roman.
    /// Other capitals may begin a part of a name (`BioÖl`).
    pub(super) fn is_capital_in_word(self) -> bool {
        matches!(self.byte, 0x8a | 0x8c | 0x8e | 0x9f) && is_small(self.previous())
    }

    /// Returns whether no Western language has the letter in this position. `others`: the letters of the text.
    pub(super) fn is_foreign_letter(self, others: &Letters) -> bool {
        let (previous, next) = (small(self.previous()), small(self.next()));
        let (is_first, is_last) = (!is_letter(previous), !is_letter(next));
        let follows_vowel = is_vowel(previous);
        let is_known = match small(self.byte) {
            // Final in Italian; French `-ère`, `-ècle`.
            0xe8 => is_last && !follows_vowel || !is_first && self.is_before_consonants_and_e(),
            // Portuguese and French.
            0xea => matches!(next, b'n' | b'm' | b't' | b'l' | b'r') || self.is_before_s(),
            // Portuguese: `ão`, `ãe`, `ã`, `ãs`.
            0xe3 => is_last || matches!(next, b'o' | b'e') || self.is_before_s(),
            0xf1 => is_vowel(next) && !is_last,
            // Final in Italian and French.
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
            // `is_out_of_place` checks this letter.
            0xf5 => true,
            _ => !matches!(self.byte, 0x8c | 0x9c | 0x9f),
        };
        !is_french_ligature(self.byte, next) && !is_known
    }

    /// Returns whether it is followed by `ss`, or by an `s` that ends the word.
    fn is_before_s(self) -> bool {
        let is_s = |byte: &u8| small(*byte) == b's';
        let second = self.after.get(1);
        self.after.first().is_some_and(is_s) && second.is_none_or(|byte| is_s(byte) || !is_letter(*byte))
    }

    /// Returns whether it is followed by one or two consonants and an `e`.
    fn is_before_consonants_and_e(self) -> bool {
        let is_consonant = |byte: &u8| byte.is_ascii_alphabetic() && !is_vowel(*byte);
        let consonants = self.after.iter().take(3).take_while(|byte| is_consonant(byte)).count();
        (1..=2).contains(&consonants) && matches!(self.after.get(consonants), Some(b'e' | b'E'))
    }

    /// Returns whether it is `õ` inside a word without a following `e` (Portuguese, the only Western language with the
    /// letter, always has an `e` there), or `š` or `ž` between consonants, which are `ö` and `û` in Mac OS Roman.
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

/// Returns whether the byte is `œ` as in the French words `œuf` and `œil`.
fn is_french_ligature(byte: u8, next: u8) -> bool {
    matches!(byte, 0x8c | 0x9c) && matches!(small(next), b'u' | b'i')
}

/// The set of letters beyond ASCII of a text, in lower case.
#[derive(Debug)]
pub(super) struct Letters {
    has: [bool; 256],
}

impl Letters {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut has = [false; 256];
        for byte in text.iter().filter(|byte| !byte.is_ascii() && is_letter(**byte)) {
            *has.get_mut(usize::from(small(*byte))).expect("there is an entry for each byte") = true;
        }
        Self { has }
    }

    fn are_among(&self, letters: &[u8]) -> bool {
        (0..=u8::MAX).zip(&self.has).all(|(byte, has)| !has || letters.contains(&byte))
    }

    /// Returns whether all letters are among æøåäöéü.
    fn are_scandinavian(&self) -> bool {
        self.are_among(b"\xe6\xf8\xe5\xe4\xf6\xe9\xfc")
    }

    /// Returns whether all letters are among áéíóúýþæöð, and at least one of them is not a Turkish letter.
    fn are_icelandic(&self) -> bool {
        let own = b"\xe1\xe9\xed\xf3\xfa\xe6";
        let has_own = own.iter().any(|byte| self.has.get(usize::from(*byte)) == Some(&true));
        has_own && self.are_among(b"\xe1\xe9\xed\xf3\xfa\xfd\xfe\xe6\xf6\xf0")
    }
}

/// Returns whether a byte is a letter of windows-1252.
pub(super) fn is_letter(byte: u8) -> bool {
    is_capital(byte) || is_small(byte)
}

fn is_capital(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | 0x8a | 0x8c | 0x8e | 0x9f | 0xc0..=0xd6 | 0xd8..=0xde)
}

fn is_small(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | 0x9a | 0x9c | 0x9e | 0xdf..=0xf6 | 0xf8..=0xff)
}

/// Returns a letter in lower case.
fn small(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' | 0xc0..=0xd6 | 0xd8..=0xde => byte | 0x20,
        0x8a | 0x8c | 0x8e => byte | 0x10,
        0x9f => 0xff,
        other => other,
    }
}

/// Returns whether a byte is a, e, i, o, u or y, with or without an accent.
fn is_vowel(byte: u8) -> bool {
    matches!(
        small(byte),
        b'a' | b'e' | b'i' | b'o' | b'u' | b'y' | 0xe0..=0xe6 | 0xe8..=0xef | 0xf2..=0xf6 | 0xf8..=0xfd | 0xff
    )
}

/// Returns whether a byte is a quotation mark, dash, no-break space or similar mark, which may adjoin letters and other
/// marks.
pub(super) fn is_punctuation(byte: u8) -> bool {
    matches!(
        byte,
        0x80 | 0x82 | 0x84 | 0x85 | 0x8b | 0x91..=0x97 | 0x9b | 0xa0 | 0xa1 | 0xab | 0xad | 0xbb | 0xbf
    )
}
