//! A record into fields.

use memchr::{memchr, memchr_iter, memchr2};

/// How fields are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quoting {
    pub(crate) quote: u8,
    /// Inside quotes the byte after it stands for itself. A doubled quote is read with or without it.
    pub(crate) escape: Option<u8>,
}

/// Where a field is in its record, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Holds doubled quotes or escapes.
    pub(crate) is_escaped: bool,
}

/// A record that holds quotes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// Its length without and with the line end.
    Record { content: usize, total: usize },
    /// The window ends before the record does.
    Open,
    /// After a closing quote there is neither a delimiter nor a line end.
    Malformed,
}

/// Splits a line without quotes.
#[inline]
pub(crate) fn split_line(line: &[u8], delimiter: u8, spans: &mut Vec<Span>) {
    spans.clear();
    let mut start = 0;
    for end in memchr_iter(delimiter, line) {
        spans.push(Span { start, end, is_escaped: false });
        start = end + 1;
    }
    spans.push(Span { start, end: line.len(), is_escaped: false });
}

/// Splits the record at the start of `window`. A quote that does not open a field is an ordinary character.
/// `is_whole`: nothing comes after the window.
pub(crate) fn split_quoted(
    window: &[u8],
    is_whole: bool,
    delimiter: u8,
    quoting: Quoting,
    terminator: u8,
    spans: &mut Vec<Span>,
) -> Split {
    spans.clear();
    let mut at = 0;
    loop {
        let after = if window.get(at) == Some(&quoting.quote) {
            let Some((end, is_escaped)) = closing_quote(window, at + 1, quoting) else { return Split::Open };
            spans.push(Span { start: at + 1, end, is_escaped });
            end + 1
        } else {
            let Some(end) = memchr2(delimiter, terminator, &window[at..]).map(|end| at + end) else {
                if !is_whole {
                    return Split::Open;
                }
                let end = window.len() - usize::from(ends_with_return(window, at, terminator));
                spans.push(Span { start: at, end, is_escaped: false });
                return Split::Record { content: end, total: window.len() };
            };
            let is_last = window[end] == terminator;
            let cut = usize::from(is_last && ends_with_return(&window[..end], at, terminator));
            spans.push(Span { start: at, end: end - cut, is_escaped: false });
            if is_last {
                return Split::Record { content: end - cut, total: end + 1 };
            }
            end
        };
        match window.get(after) {
            Some(&byte) if byte == delimiter => at = after + 1,
            Some(&byte) if byte == terminator => {
                return Split::Record { content: after, total: after + 1 };
            }
            Some(b'\r') => match window.get(after + 1) {
                Some(&byte) if byte == terminator => {
                    return Split::Record { content: after, total: after + 2 };
                }
                None if is_whole => return Split::Record { content: after, total: after + 1 },
                None => return Split::Open,
                Some(_) => return Split::Malformed,
            },
            Some(_) => return Split::Malformed,
            None if is_whole => return Split::Record { content: after, total: after },
            None => return Split::Open,
        }
    }
}

fn ends_with_return(text: &[u8], field_start: usize, terminator: u8) -> bool {
    terminator == b'\n' && text[field_start..].ends_with(b"\r")
}

/// The place of the quote that closes a field whose text starts at `at`, and whether there are escapes before it.
#[inline]
fn closing_quote(window: &[u8], mut at: usize, quoting: Quoting) -> Option<(usize, bool)> {
    let mut is_escaped = false;
    loop {
        let place = at + find_quote(&window[at..], quoting, is_escaped)?;
        if window[place] == quoting.quote && window.get(place + 1) != Some(&quoting.quote) {
            return Some((place, is_escaped));
        }
        is_escaped = true;
        at = place + 2;
        if at > window.len() {
            return None;
        }
    }
}

/// The next quote or escape. Where there was one, the next is mostly near: then it is found quicker byte by byte.
#[inline]
fn find_quote(text: &[u8], quoting: Quoting, is_near: bool) -> Option<usize> {
    const NEAR: usize = 24;
    let is_found = |byte: &u8| *byte == quoting.quote || Some(*byte) == quoting.escape;
    let near = if is_near { &text[..text.len().min(NEAR)] } else { &text[..0] };
    if let Some(place) = near.iter().position(is_found) {
        return Some(place);
    }
    let rest = &text[near.len()..];
    let found = match quoting.escape {
        None => memchr(quoting.quote, rest),
        Some(escape) => memchr2(quoting.quote, escape, rest),
    };
    found.map(|place| near.len() + place)
}

/// A field's text, with doubled quotes and escapes undone.
#[inline]
pub(crate) fn field<'a>(
    record: &'a str,
    span: Span,
    quoting: Option<Quoting>,
    scratch: &'a mut Vec<u8>,
) -> &'a str {
    let raw = &record[span.start..span.end];
    match quoting {
        Some(quoting) if span.is_escaped => unescape(raw, quoting, scratch),
        Some(_) | None => raw,
    }
}

fn unescape<'a>(raw: &str, quoting: Quoting, text: &'a mut Vec<u8>) -> &'a str {
    text.clear();
    text.extend_from_slice(raw.as_bytes());
    // What an escape stands before is kept, whatever it is. Without a branch, as the places of quotes are not
    // predictable.
    let mut is_after_escape = false;
    let mut kept = 0;
    for index in 0..text.len() {
        let byte = text[index];
        let is_escape = (byte == quoting.quote || Some(byte) == quoting.escape) & !is_after_escape;
        text[kept] = byte;
        kept += usize::from(!is_escape);
        is_after_escape = is_escape;
    }
    text.truncate(kept);
    str::from_utf8(text).expect("text without some of its ASCII characters is still UTF-8")
}
