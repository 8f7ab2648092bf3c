//! Text and UUIDs.

use penstock_contract::StringFormat;

use super::format::is_of;
use super::pattern::Pattern;
use crate::outcome::Code;

/// A text, with what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) traits: Traits,
}

/// What one look over the bytes tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) is_ascii: bool,
    /// Nothing that COPY text escapes and no NUL.
    pub(crate) is_plain: bool,
}

impl Traits {
    /// Those of a text that nobody has looked at.
    pub(crate) const UNKNOWN: Self = Self { is_ascii: false, is_plain: false };

    #[inline]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut high = 0_u8;
        let mut special = 0_u8;
        // Without a branch, so that it compiles to vector instructions.
        for &byte in bytes {
            high |= byte;
            special |= u8::from(byte < b' ') | u8::from(byte == b'\\');
        }
        Self { is_ascii: high < 0x80, is_plain: special == 0 }
    }
}

/// What text is read as.
#[derive(Debug, Clone)]
pub(crate) struct TextCast {
    pub(crate) is_uuid: bool,
    /// `None`: any text satisfies the contract.
    pub(crate) rules: Option<Box<TextRules>>,
}

/// The rules of text. At least one of them is there.
#[derive(Debug, Clone)]
pub(crate) struct TextRules {
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) pattern: Option<Pattern>,
    /// `None` for one that any text is of.
    pub(crate) format: Option<StringFormat>,
    /// Sorted.
    pub(crate) allowed: Vec<String>,
}

impl TextCast {
    /// `traits` are those of the whole record, which hold for each part of it where they are plain.
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
    pub(crate) fn check(&self, value: Text<'_>, tell: &mut impl FnMut(Code)) {
        if let Some(rules) = &self.rules {
            rules.check(value, tell);
        }
    }
}

impl TextRules {
    #[inline(always)]
    fn check(&self, value: Text<'_>, tell: &mut impl FnMut(Code)) {
        let Text { text, traits } = value;
        if self.min_length.is_some() || self.max_length.is_some() {
            let length = if traits.is_ascii { text.len() } else { text.chars().count() } as u64;
            if self.min_length.is_some_and(|min| length < min) {
                tell(Code::TooShort);
            }
            if self.max_length.is_some_and(|max| length > max) {
                tell(Code::TooLong);
            }
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            tell(Code::PatternMismatch);
        }
        if self.format.is_some_and(|format| !is_of(format, text)) {
            tell(Code::WrongFormat);
        }
        if !self.allowed.is_empty() && !self.is_allowed(text) {
            tell(Code::NotAllowed);
        }
    }

    fn is_allowed(&self, text: &str) -> bool {
        self.allowed.binary_search_by(|allowed| allowed.as_str().cmp(text)).is_ok()
    }
}

/// A UUID as PostgreSQL writes it: lower case, with hyphens. Read with hyphens or without any.
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
