//! Casts of texts and UUIDs.

use penstock_contract::StringFormat;

use super::format::is_of;
use super::pattern::Pattern;
use crate::outcome::Code;

/// A text and its known traits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) traits: Traits,
}

/// The traits of a text that determine how it is processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) is_ascii: bool,
    /// The text contains no NUL character and nothing that COPY text escapes.
    pub(crate) is_plain: bool,
}

impl Traits {
    /// The traits of a text that was not examined.
    pub(crate) const UNKNOWN: Self = Self { is_ascii: false, is_plain: false };

    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut high = 0_u8;
        let mut special = 0_u8;
        // A loop without branches compiles to vector instructions.
        for &byte in bytes {
            high |= byte;
            special |= u8::from(byte < b' ') | u8::from(byte == b'\\');
        }
        Self { is_ascii: high < 0x80, is_plain: special == 0 }
    }
}

/// The cast and the rules of a column of texts or UUIDs.
#[derive(Debug, Clone)]
pub(crate) struct TextCast {
    pub(crate) is_uuid: bool,
    /// `None` if any text satisfies the contract.
    pub(crate) rules: Option<Box<TextRules>>,
}

/// The rules of texts. At least one is declared.
#[derive(Debug, Clone)]
pub(crate) struct TextRules {
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) pattern: Option<Pattern>,
    /// `None` if no format is declared, or one that any text has.
    pub(crate) format: Option<StringFormat>,
    /// The allowed values, sorted.
    pub(crate) allowed: Vec<String>,
}

impl TextCast {
    /// Casts a text. `traits` are those of the whole record: if the record is plain, each part of it is.
    #[inline]
    pub(crate) fn cast<'a>(
        &self,
        text: &'a str,
        traits: Traits,
        scratch: &'a mut String,
    ) -> Result<Text<'a>, Code> {
        if self.is_uuid {
            let text = uuid(text, scratch).ok_or(Code::NotAUuid)?;
            return Ok(Text { text, traits: Traits { is_ascii: true, is_plain: true } });
        }
        let traits = if traits.is_plain { traits } else { Traits::of(text.as_bytes()) };
        if !traits.is_plain && memchr::memchr(0, text.as_bytes()).is_some() {
            return Err(Code::NulCharacter);
        }
        Ok(Text { text, traits })
    }

    #[inline(always)]
    pub(crate) fn check(&self, value: Text<'_>, report: &mut impl FnMut(Code)) {
        if let Some(rules) = &self.rules {
            rules.check(value, report);
        }
    }
}

impl TextRules {
    #[inline(always)]
    fn check(&self, value: Text<'_>, report: &mut impl FnMut(Code)) {
        let Text { text, traits } = value;
        if self.min_length.is_some() || self.max_length.is_some() {
            let length = if traits.is_ascii { text.len() } else { text.chars().count() } as u64;
            if self.min_length.is_some_and(|min| length < min) {
                report(Code::TooShort);
            }
            if self.max_length.is_some_and(|max| length > max) {
                report(Code::TooLong);
            }
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            report(Code::PatternMismatch);
        }
        if self.format.is_some_and(|format| !is_of(format, text)) {
            report(Code::WrongFormat);
        }
        if !self.allowed.is_empty() && !self.is_allowed(text) {
            report(Code::NotAllowed);
        }
    }

    fn is_allowed(&self, text: &str) -> bool {
        self.allowed.binary_search_by(|allowed| allowed.as_str().cmp(text)).is_ok()
    }
}

/// Parses a UUID with or without hyphens and returns it as PostgreSQL writes it, in lower case with hyphens.
pub(crate) fn uuid<'a>(text: &str, scratch: &'a mut String) -> Option<&'a str> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let bytes = text.as_bytes();
    let is_hyphened = match bytes.len() {
        36 => true,
        32 => false,
        _ => return None,
    };
    scratch.clear();
    for (index, byte) in bytes.iter().enumerate() {
        if is_hyphened && HYPHENS.contains(&index) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        if !byte.is_ascii_hexdigit() {
            return None;
        }
        if HYPHENS.contains(&scratch.len()) {
            scratch.push('-');
        }
        scratch.push(char::from(byte.to_ascii_lowercase()));
    }
    Some(scratch)
}
