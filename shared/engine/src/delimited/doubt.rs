//! White space before an opening quote, in files whose contract does not declare whether it belongs to the field.
//!
//! If quotes in the first bytes of a file have white space around them, it is skipped in the whole file. If the first ones come
//! later, the quotes would be stored as a part of the values.

use super::quoting::{Blanks, Quoting};
use super::split::{Delimiter, FieldDelimiter, Split, blanks_beside, closing_quote, split_quoted};

impl Quoting {
    /// Quoting that doubts white space before quotes.
    pub(super) fn doubting(self, delimiter: &FieldDelimiter) -> Self {
        Self { blanks: Blanks { are_doubted: true, ..blanks_beside(delimiter) }, ..self }
    }
}

/// The record whose field at `at` begins with white space and is quoted. Text such as ` "a" and b` is not, where more than white
/// space is between the closing quote and the end of the field. `None`: it is an ordinary field.
pub(super) fn doubt(
    window: &[u8],
    at: usize,
    is_whole: bool,
    delimiter: impl Delimiter,
    quoting: Quoting,
    terminator: u8,
) -> Option<Split> {
    let rest = window.get(at..)?;
    // A delimiter may itself be white space.
    let count_blanks =
        |text: &[u8]| if delimiter.starts(text) { 0 } else { quoting.blanks.before_quote(text) };
    let opening = at.checked_add(count_blanks(rest))?;
    let field = window.get(opening..)?;
    if field.len() == rest.len() || field.first() != Some(&quoting.quote) {
        return None;
    }
    let Some(line) = memchr::memchr(terminator, field).or(is_whole.then_some(field.len())) else {
        return Some(Split::Open);
    };
    let line = field.get(..line)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some((end, _)) = closing_quote(line, 1, quoting) {
        let after = line.get(end.saturating_add(1)..)?;
        let after = after.get(count_blanks(after)..)?;
        if !after.is_empty() && !delimiter.starts(after) {
            return None;
        }
    }
    // Where the record ends if the white space is skipped. Its other lines are no records.
    let quoting = Quoting { blanks: Blanks { are_doubted: false, ..quoting.blanks }, ..quoting };
    Some(match split_quoted(window, opening, is_whole, delimiter, quoting, terminator, &mut Vec::new()) {
        Split::Record { content, total } => Split::Doubtful(Some((content, total))),
        Split::Open => Split::Open,
        Split::Malformed | Split::Doubtful(_) => Split::Doubtful(None),
    })
}
