//! JSON documents for `jsonb`, and the texts of string literals.

pub(crate) mod keys;
pub(crate) mod plain;
pub(crate) mod repeated;
mod scanner;
#[cfg(test)]
mod tests;

pub(crate) use self::scanner::{
    MAX_DEPTH, MAX_FRACTION_DIGITS, MAX_WHOLE_DIGITS, Scanner, key_text, slice, unquote,
};
use crate::outcome::Code;

/// Checks that `text` is an object or array that `jsonb` accepts.
///
/// `is_plain` means that the text contains no control characters and no backslashes.
pub(crate) fn check(text: &str, is_array: bool, is_plain: bool) -> Result<(), Code> {
    let open = if is_array { b'[' } else { b'{' };
    if is_plain && plain::is_document(text, open) {
        return Ok(());
    }
    let mut scanner = Scanner::new(text, is_plain);
    scanner.skip_space();
    if scanner.peek() != Some(open) {
        return Err(Code::WrongType);
    }
    if scanner.value().is_none() {
        return Err(if scanner.is_too_deep { Code::OutOfRange } else { Code::WrongType });
    }
    scanner.skip_space();
    if !scanner.is_at_end() {
        Err(Code::WrongType)
    } else if scanner.has_lone_surrogate {
        Err(Code::InvalidJson)
    } else if scanner.has_nul {
        Err(Code::NulCharacter)
    } else if scanner.may_repeat && repeated::key(text).is_some() {
        Err(Code::DuplicateMember)
    } else if scanner.is_out_of_range {
        Err(Code::OutOfRange)
    } else {
        Ok(())
    }
}
