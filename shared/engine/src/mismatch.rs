//! JSON where the contract says delimited text, lines of JSON where it says an array, and delimited text where it says JSON.
//!
//! Every row of such a file would be a reject, or the header would lack every column: what to change in the contract is
//! said instead.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use crate::error::{ReadError, UnreadableCode};
use crate::format::TextFormat;
use crate::program::PlanColumn;

/// How JSON is laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JsonLayout {
    /// An object a line; `is_one`: the file has one line.
    Lines { is_one: bool },
    /// An array with objects.
    Array,
    /// An object of several lines.
    Document,
}

/// Refuses a file that is JSON of another layout than the contract says. `head`: the first bytes of the text; `is_whole`: all
/// of them.
///
/// # Errors
/// What the file is, and what to write in the contract.
pub(crate) fn check_layout(
    format: TextFormat<'_>,
    columns: &[PlanColumn],
    head: &[u8],
    is_whole: bool,
) -> Result<(), ReadError> {
    let Some(layout) = layout_of(head, is_whole) else { return check_table(format, head) };
    let says = match format {
        TextFormat::Delimited(dialect) => {
            // A table without a header may have one column of documents.
            let is_one = columns.iter().filter(|column| !column.reads_nothing()).count() == 1;
            if is_one && dialect.header != Some(true) {
                return Ok(());
            }
            "delimited text"
        }
        TextFormat::Ndjson => match layout {
            JsonLayout::Lines { .. } => return Ok(()),
            JsonLayout::Array | JsonLayout::Document => "one JSON object a line",
        },
        TextFormat::JsonArray { path } => match layout {
            JsonLayout::Lines { is_one: false } if path.is_empty() => "an array of JSON objects",
            JsonLayout::Lines { .. } | JsonLayout::Array | JsonLayout::Document => return Ok(()),
        },
    };
    let (is, advice) = match layout {
        JsonLayout::Lines { .. } => {
            ("JSON with one object a line", "`format: json` with `delimiter: new_line`")
        }
        JsonLayout::Array => ("a JSON array", "`format: json` with `delimiter: array`"),
        JsonLayout::Document => (
            "a JSON document of several lines",
            "`format: json` with `delimiter: array`, and `penstock.path` where the array is not the document",
        ),
    };
    let message = format!("the file is {is} instead of {says}: declare {advice}, or deliver {says}");
    Err(ReadError::Unreadable { code: UnreadableCode::WrongFormat, byte_offset: 0, message })
}

/// Refuses delimited text where the contract says JSON.
fn check_table(format: TextFormat<'_>, head: &[u8]) -> Result<(), ReadError> {
    let says = match format {
        TextFormat::Ndjson => "one JSON object a line",
        TextFormat::JsonArray { .. } => "an array of JSON objects",
        TextFormat::Delimited(_) => return Ok(()),
    };
    if !is_table(head) {
        return Ok(());
    }
    let message = format!(
        "the file is delimited text, and the contract says {says}: declare `format: csv`, or deliver {says}"
    );
    Err(ReadError::Unreadable { code: UnreadableCode::WrongFormat, byte_offset: 0, message })
}

/// True when the first lines have the same number of a delimiter, and do not begin as JSON.
fn is_table(head: &[u8]) -> bool {
    const LINES: usize = 5;
    let lines: Vec<&[u8]> = head
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .take(LINES)
        .collect();
    // The last one may be cut off.
    let whole = lines.len().saturating_sub(1).max(1);
    let is_json = |line: &&[u8]| matches!(*line, [b'{' | b'[' | b']' | b'}', ..]);
    let count = |line: &[u8], delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    let is_alike = |delimiter: &u8| {
        let mut counts = lines.iter().take(whole).map(|line| count(line, *delimiter));
        counts.next().is_some_and(|first| first > 0 && counts.all(|other| other == first))
    };
    !lines.is_empty() && !lines.iter().any(is_json) && b",;\t|".iter().any(is_alike)
}

/// `None`: no JSON, or none that surely is laid out in one way.
fn layout_of(head: &[u8], is_whole: bool) -> Option<JsonLayout> {
    let text = head.trim_ascii_start();
    let (first, inside) = text.split_first()?;
    let second = inside.trim_ascii_start().first()?;
    if !matches!((first, second), (b'[', b'{') | (b'{', b'"' | b'}')) {
        return None;
    }
    let mut values = Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let end = match values.next()? {
        Ok(_) => values.byte_offset(),
        // It goes on behind the head. A whole file that breaks off has rows that can be read.
        Err(error) if error.is_eof() && !is_whole => text.len(),
        Err(_) => return None,
    };
    let (value, rest) = text.split_at_checked(end)?;
    let next = rest.trim_ascii_start().first();
    if *first == b'[' {
        // Another array may follow, as the pages of an API come.
        return matches!(next, None | Some(b'[')).then_some(JsonLayout::Array);
    }
    if value.contains(&b'\n') {
        return Some(JsonLayout::Document);
    }
    let is_line = rest.is_empty() || trim_blanks(rest).starts_with(b"\n");
    match next {
        None => is_line.then_some(JsonLayout::Lines { is_one: true }),
        Some(b'{') => is_line.then_some(JsonLayout::Lines { is_one: false }),
        Some(_) => None,
    }
}

/// The bytes without blanks, tabs and carriage returns before them.
fn trim_blanks(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    start.and_then(|start| bytes.get(start..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimited_text_has_lines_with_the_same_number_of_a_delimiter() {
        for head in
            ["id,name\n1,a\n", "id;name\r\n1;a\r\n2;b", "id\tname", "\"id\",\"name\"\n\n1,x\n", "a|b\n1|2\n3"]
        {
            assert!(is_table(head.as_bytes()), "{head}");
        }
        for head in [
            "",
            "x",
            "{\"a\":1,\"b\":2}\n{\"a\":1,\"b\":2}\n",
            "[1,2]\n[3,4]\n",
            "word, word\nno\nx\n",
            "1\n2\n",
        ] {
            assert!(!is_table(head.as_bytes()), "{head}");
        }
    }

    #[test]
    fn json_is_told_by_its_first_value() {
        let lines = |is_one| Some(JsonLayout::Lines { is_one });
        for (head, is_whole, layout) in [
            ("{\"id\":1}\n{\"id\":2}\n", true, lines(false)),
            ("{\"id\":1} \r\n{\"id\":2}", true, lines(false)),
            ("{\"id\":1}\n", true, lines(true)),
            ("{}", true, lines(true)),
            (" \n{\"id\":1}", true, lines(true)),
            ("{\"id\":1},2\n", true, None),
            ("{\"id\":1}\tx\n", true, None),
            ("{\"id\":1}\n5\n", true, None),
            ("{\n  \"id\": 1\n}\n", true, Some(JsonLayout::Document)),
            ("{\n  \"data\": [", false, Some(JsonLayout::Document)),
            ("{\n  \"data\": [", true, None),
            ("[{\"id\":1}]", true, Some(JsonLayout::Array)),
            ("[\n {\"id\":1},", false, Some(JsonLayout::Array)),
            ("[{\"id\":1}]\n{\"id\":1}\n", true, None),
            ("[{\"id\":1}]\n[{\"id\":1}]\n", true, Some(JsonLayout::Array)),
            ("[{\"id\":1}][{\"id\":1}", false, Some(JsonLayout::Array)),
            ("[{\"id\":1}],[{\"id\":1}]\n", true, None),
            ("[id],[name]\n", true, None),
            ("{id},{name}\n", true, None),
            ("\"id\",\"name\"\n", true, None),
            ("id,name\n", true, None),
            ("", true, None),
        ] {
            assert_eq!(layout_of(head.as_bytes(), is_whole), layout, "{head}");
        }
    }
}
